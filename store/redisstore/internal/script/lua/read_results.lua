-- Reads a page of the results of a run, or that of one task.
-- Uses: arguments, clock, pages, results.
-- KEYS  1 results, 2 run
-- ARGV  job; ID ('' for a page), kind ('' for all), group and place behind which the page begins ('' and 0 for the first), limit
-- Returns {missing}, {ok, group and place of the last one that was looked at, '' and 0 at the end, {ID, group, place, at, data} …}
-- Repeat: only reads.
local RESULTS, RUN = KEYS[1], KEYS[2]
local job, id, kind, after, place, limit = arg(), arg(), arg(), arg(), num(), num()
if redis.call('HGET', RUN, 'job') ~= job then
  return { 'missing' }
end
local reply = { 'ok', '', '0' }
local size = 0

-- give adds the result of a task to the reply, unless its time is over.
local function give(task, only)
  local group, at, set, expiry, data =
    string.match(redis.call('HGET', RESULTS, ':' .. task) or '', '^(%S+) (%d+) (%d+) (%d+) (.*)$')
  local wanted = group and (kind == '' or string.match(group, '/(.*)$') == kind)
  if wanted and (expiry == '0' or tonumber(expiry) > now) and (not only or at == only) then
    reply[#reply + 1] = { task, group, at, set, data }
    size = size + #task + #data
  end
end

if id ~= '' then
  give(id)
  return reply
end
local rs, looked = open_results(RESULTS), 0
table.sort(rs.names)
for _, name in ipairs(rs.names) do
  local g = rs.groups[name]
  local from = name == after and math.max(g.first, place + 1) or g.first
  if name >= after and (kind == '' or string.match(name, '/(.*)$') == kind) then
    for at = from, g.next - 1 do
      if looked == limit or size >= PAGE_BYTES then
        return reply
      end
      looked = looked + 1
      reply[2], reply[3] = name, string.format('%.0f', at)
      local task = string.match(redis.call('HGET', RESULTS, place_field(name, at)) or '', '^%d+ %d+ %d+ (.*)$')
      if task then
        give(task, reply[3])
      end
    end
  end
end
reply[2], reply[3] = '', '0'
return reply
