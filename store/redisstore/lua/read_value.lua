-- Reads one value, or a part of it.
-- KEYS  1 value
-- ARGV  kind, then for a list: offset, limit; for a map: cursor, limit, n, field × n
-- Returns {none}, {kind, letter}, {corrupt}; {ok, length, cursor, data …}: of a map field and value by turns, the fields asked for,
--       or with a limit a page from the cursor on, whose next is '0' at the end; of a list items
-- Repeat: reads only.
local PAGE_BYTES, SLICE = 1048576, 16
local kind = kind_at(KEYS[1])
local want = arg()
if not kind then
  return { 'none' }
elseif kind == '?' then
  return { 'corrupt' }
elseif kind ~= want then
  return { 'kind', kind }
end
if kind == 'l' then
  local from, limit = num(), num()
  local reply, size, more = { 'ok', redis.call('LLEN', KEYS[1]), '0' }, 0, true
  while more and limit > 0 do
    local items = redis.call('LRANGE', KEYS[1], from, from + math.min(limit, SLICE) - 1)
    more = #items == SLICE
    for _, item in ipairs(items) do
      reply[#reply + 1] = item
      size = size + #item
    end
    from, limit, more = from + #items, limit - #items, more and size < PAGE_BYTES
  end
  return reply
end
if kind ~= 'm' then
  return { 'ok', 1, '0', redis.call('HGET', KEYS[1], 'value') }
end
local cursor, limit, n = arg(), num(), num()
local reply = { 'ok', redis.call('HLEN', KEYS[1]) - 1, '0' }
if n > 0 then
  local values = redis.call('HMGET', KEYS[1], unpack(ARGV, at + 1, at + n))
  for i = 1, n do
    if values[i] then
      reply[#reply + 1] = ARGV[at + i]
      reply[#reply + 1] = values[i]
    end
  end
elseif limit > 0 then
  local page = redis.call('HSCAN', KEYS[1], cursor, 'COUNT', limit)
  reply[3] = page[1]
  for i = 1, #page[2], 2 do
    if page[2][i] ~= 'kind' then
      reply[#reply + 1] = page[2][i]
      reply[#reply + 1] = page[2][i + 1]
    end
  end
end
return reply
