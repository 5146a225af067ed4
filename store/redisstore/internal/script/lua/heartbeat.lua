-- Extends a session, reads the states of the runs whose tasks it holds, and shows its progress
-- reports in runs.
-- Uses: arguments, clock, numbers, pauses, runs, signals, streams.
-- KEYS  1 session, 2 leases, 3 meta, 4 due, 5 terms, 6 pauses; then by index: a run each, first those whose states are asked for
-- ARGV  session, last fetch and settlement answered, lease in ms, sweep interval in ms, what runs ('' for: as before), channel, states asked for: n,
--       reports: n, (index of the run, its number, limit, tasks: n, task × n) × n
-- Returns {ok, now, next due, held, sweep due (1), version of the pauses,
--       fields of deliveries that are to be cancelled, as in asked.lua, or '', status of the worker,
--       (state, graceful, configured, overdue) …}, {lost}
-- Repeat: absolute. ZREM is first, so that the script runs when memory is short.
local SESSION, LEASES, META, DUE, TERMS, PAUSES = unpack(KEYS, 1, 6)
local session, fetched, settled, lease, interval, busy, channel, asked = arg(), num(), num(), num(), num(), arg(), arg(), num()

local known, _, ending, status = session_records(SESSION, fetched, settled)
if not known then
  return { 'lost' }
end
redis.call('ZREM', LEASES, session)
redis.call('ZADD', LEASES, now + lease, session)
redis.call('HSET', TERMS, session, lease)
if busy ~= '' then
  redis.call('HSET', SESSION, 'busy', busy)
end

-- report replaces the lines of this session in a run: "until session task". It removes lines of
-- other sessions when their time has passed, so dead sessions leave nothing, and the field stays
-- within its limit. A final run has no lines.
local function report(key, id, limit)
  local mine, lines, before = {}, {}, {}
  for i = 1, num() do
    mine[i] = arg()
  end
  local v = redis.pcall('HMGET', key, 'state', 'reporting', 'reported')
  if v.err or (v[1] ~= 'running' and v[1] ~= 'stopping') then
    return
  end
  for line in string.gmatch(v[2] or '', '[^\n]+') do
    local ends, owner, task = string.match(line, '^(%d+) (%S+) (.*)$')
    if owner == session then
      before[#before + 1] = task
    elseif ends and tonumber(ends) > now then
      lines[#lines + 1] = line
    end
  end
  for _, task in ipairs(mine) do
    if #lines < limit then
      lines[#lines + 1] = string.format('%.0f %s %s', now + lease / 2, session, task)
    end
  end
  if #lines == 0 then
    redis.call('HDEL', key, 'reporting', 'reported')
  else
    redis.call('HSET', key, 'reporting', table.concat(lines, '\n'))
  end
  local last = number_of(v[3])
  if table.concat(before, '\n') == table.concat(mine, '\n') or #lines > 0 and now >= last and now - last < SIGNAL_EVERY then
    return
  end
  if #lines > 0 then
    redis.call('HSET', key, 'reported', now)
  end
  signal('p:' .. id)
end

for _ = 1, num() do
  report(KEYS[num()], arg(), num())
end

local swept = number_of(redis.call('HGET', META, 'sweep'))
local due = 0
if now - swept >= interval or now < swept then
  due = 1
end
local first = redis.call('ZRANGE', DUE, 0, 0, 'WITHSCORES')
local reply = { 'ok', now, first[2] or '', redis.call('HLEN', SESSION) - 6, due, pauses_version(PAUSES), ending or '', status }
for i = 7, 6 + asked do
  local v = redis.pcall('HMGET', KEYS[i], 'state', 'graceful', 'configured', 'overdue') -- nothing for a run with a damaged record
  reply[#reply + 1] = v[1] or ''
  reply[#reply + 1] = v[2] or ''
  reply[#reply + 1] = v[3] or 0
  reply[#reply + 1] = v[4] or ''
end
publish(channel)
return reply
