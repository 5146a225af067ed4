-- Removes routes without work, and the clocks of queues without routes.
-- Uses: arguments, numbers, rings.
-- KEYS  1 routes, 2 clock; a ring per route
-- ARGV  the routes
-- Returns {how many were forgotten}
-- Repeat: absolute; a route is listed again when a run enters its ring. ZREM is first, so that the script runs when memory is short.
local ROUTES, CLOCK = KEYS[1], KEYS[2]
local forgotten = 0
for i = 3, #KEYS do
  local route = arg()
  if redis.call('EXISTS', KEYS[i]) == 0 and redis.call('ZREM', ROUTES, route) == 1 then
    forgotten = forgotten + 1
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
return { forgotten }
