-- Extends a lease of a semaphore.
-- Uses: arguments, clock, semaphore.
-- KEYS  as in semaphore.lua
-- ARGV  token, ttl in ms
-- Returns {ok, expires}, {lost}
-- Repeat: absolute. ZREM is first, so that the script runs when memory is short.
local token, ttl = arg(), num()
expire()
if redis.call('ZREM', HELD, token) == 0 then
  return { 'lost' }
end
redis.call('ZADD', HELD, string.format('%.0f', now + ttl), token)
forget_when_idle()
return { 'ok', now + ttl }
