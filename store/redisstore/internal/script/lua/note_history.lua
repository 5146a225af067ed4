-- Adds points to the history, and notes the figures that they come from.
-- Uses: arguments.
-- KEYS  1 series, 2 minutes, 3 hours
-- ARGV  what is noted first of all: as it was read, and anew; the minute; for minutes and hours each: the oldest to keep, the
--       points or ''; fields of the series: n, (field, value) × n; those that go: n, field × n
-- Returns {ok}, {stale}: somebody has noted something meanwhile
-- Repeat: stale. ZREMRANGEBYSCORE is first, so that the script runs when memory is short.
local SERIES = KEYS[1]
local before, after, minute = arg(), arg(), num()
for i = 2, 3 do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', '(' .. arg())
  local points = arg()
  if (redis.call('HGET', SERIES, '') or '') ~= before then
    return { 'stale' }
  end
  if points ~= '' then
    redis.call('ZADD', KEYS[i], minute, points)
  end
end
redis.call('HSET', SERIES, '', after)
for _ = 1, num() do
  redis.call('HSET', SERIES, arg(), arg())
end
for _ = 1, num() do
  redis.call('HDEL', SERIES, arg())
end
return { 'ok' }
