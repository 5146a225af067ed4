-- Adds points to the history, and notes the figures that they come from. Removes the histograms that are in them.
-- Uses: arguments.
-- KEYS  1 series, 2 minutes, 3 hours, 4 taken
-- ARGV  what is noted first of all: as it was read, and anew; the minute; for minutes and hours each: the oldest to keep, the
--       points or ''; whether taken was there (1); fields of the series: n, (field, value) × n; those that go: n, field × n
-- Returns {ok}, {stale}: somebody has noted something meanwhile, or the server has lost writes
-- Repeat: stale. ZREMRANGEBYSCORE is first, so that the script runs when memory is short.
local SERIES, TAKEN = KEYS[1], KEYS[4]
local before, after, minute, taken = arg(), arg(), num(), num()
local fresh = (redis.call('HGET', SERIES, '') or '') == before and (taken == 0 or redis.call('EXISTS', TAKEN) == 1)
for i = 2, 3 do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', '(' .. arg())
  local points = arg()
  if fresh and points ~= '' then
    redis.call('ZADD', KEYS[i], minute, points)
  end
end
if not fresh then
  return { 'stale' }
end
if taken == 1 then
  redis.call('UNLINK', TAKEN)
end
redis.call('HSET', SERIES, '', after)
for _ = 1, num() do
  redis.call('HSET', SERIES, arg(), arg())
end
for _ = 1, num() do
  redis.call('HDEL', SERIES, arg())
end
return { 'ok' }
