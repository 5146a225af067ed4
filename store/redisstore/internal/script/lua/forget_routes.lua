-- Removes routes without work, and the clocks of queues without routes. The ledger keeps the figures
-- of the newest of them.
-- Uses: arguments, clock, numbers, rings.
-- KEYS  1 routes, 2 clock, 3 ledger, 4 gone; a ring per route
-- ARGV  of how many routes without work the ledger keeps the figures; the routes
-- Returns {how many were forgotten}
-- Repeat: absolute; a route is listed again when a run enters its ring. ZREM is first, so that the script runs when memory is short.
local ROUTES, CLOCK, LEDGER, GONE = unpack(KEYS)
local keep = num()
local forgotten = 0
for i = 5, #KEYS do
  local route = arg()
  if redis.call('EXISTS', KEYS[i]) == 0 and redis.call('ZREM', ROUTES, route) == 1 then
    forgotten = forgotten + 1
    redis.call('ZADD', GONE, now, route)
    local queue = string.match(route, '^[^/]*')
    if redis.call('ZLEXCOUNT', ROUTES, '[' .. queue .. '/', '(' .. queue .. '0') == 0 then -- 0 comes after /
      local times = redis.call('HMGET', CLOCK, queue, LEAST)
      redis.call('HDEL', CLOCK, queue)
      if number_of(times[1]) > number_of(times[2]) then
        redis.call('HSET', CLOCK, LEAST, times[1])
      end
    end
  end
end
local more = redis.call('ZCARD', GONE) - keep
if more > 0 then
  for _, route in ipairs(redis.call('ZRANGE', GONE, 0, math.min(more, 256) - 1)) do
    redis.call('ZREM', GONE, route)
    if not redis.call('ZSCORE', ROUTES, route) then -- otherwise it has come back
      redis.call('HDEL', LEDGER, 'e:' .. route, 's:' .. route, 'f:' .. route, 'r:' .. route, 'o:' .. route)
    end
  end
end
return { forgotten }
