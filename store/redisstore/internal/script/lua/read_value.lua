-- Reads one value, or a part of it.
-- Uses: arguments, pages, values.
-- KEYS  1 value, 2 run, if it is a value of one
-- ARGV  type, of a run's value also: job, name; then for a list: offset, limit; for a map: cursor, limit, n, field × n
-- Returns {none}, {type, letter}, {corrupt}; {ok, length, cursor, data …}: of a map field and value by turns, those of the fields asked for that
--       are about 1 MiB, with the number of fields looked up as cursor, or with a limit a page from the cursor on, whose next is '0' at the end; of a list items
-- Repeat: reads only.
local VALUE, RUN = KEYS[1], KEYS[2]
local want = arg()
if RUN then
  local job, name = arg(), arg()
  local found = redis.pcall('HMGET', RUN, 'job', 'c:' .. name)
  if found.err then
    return { 'corrupt' }
  elseif found[1] ~= job or want == 'r' and not found[2] then
    return { 'none' }
  elseif want == 'r' then
    return { 'ok', 1, '0', found[2] }
  end
end
local have = type_at(VALUE)
if not have then
  return { 'none' }
elseif have == '?' then
  return { 'corrupt' }
elseif have ~= want then
  return { 'type', have }
end
if have == 'l' then
  local from = num()
  local items = page(num(), PAGE_BYTES, nil, function(read, n)
    return redis.call('LRANGE', VALUE, string.format('%.0f', from + read), string.format('%.0f', from + read + n - 1))
  end)
  return { 'ok', redis.call('LLEN', VALUE), '0', unpack(items) }
end
if have ~= 'm' then
  return { 'ok', 1, '0', redis.call('HGET', VALUE, 'value') }
end
local scanned, limit, n = arg(), num(), num()
local reply = { 'ok', redis.call('HLEN', VALUE) - 1, '0' }
local size, read, most = 0, 0, PAGE_BYTES
local function give(field, value)
  reply[#reply + 1], reply[#reply + 2] = field, value
  size, read = size + #field + #value, read + 1
  most = math.max(most, #value)
end
for i = 1, n do
  if size < PAGE_BYTES then
    reply[3] = i
    local field = ARGV[cursor + i]
    local value = redis.call('HGET', VALUE, field)
    if value then
      give(field, value)
    end
  end
end
while n == 0 and read < limit and size < PAGE_BYTES do
  local few = math.max(1, math.min(4, limit - read, math.floor((PAGE_BYTES - size) / most)))
  if read == 0 then
    most = 1
  end
  local found = redis.call('HSCAN', VALUE, scanned, 'COUNT', few)
  scanned = found[1]
  for i = 1, #found[2], 2 do
    if found[2][i] ~= 'type' then
      give(found[2][i], found[2][i + 1])
    end
  end
  reply[3] = scanned
  if scanned == '0' then
    break
  end
end
return reply
