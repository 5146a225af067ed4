-- Reads the holders and waiters of a semaphore.
-- Uses: clock, semaphore.
-- KEYS  as in semaphore.lua
-- ARGV  none
-- Returns {now, {lease, expires …}, {waiter, expires …}}
-- Repeat: only reads.
local leases, waiters = {}, {}
local held = redis.call('ZRANGEBYSCORE', HELD, '(' .. string.format('%.0f', now), '+inf', 'WITHSCORES')
for i = 1, #held, 2 do
  leases[#leases + 1] = redis.call('HGET', FACTS, 'l:' .. held[i])
  leases[#leases + 1] = held[i + 1]
end
for _, token in ipairs(redis.call('ZRANGE', LINE, 0, -1)) do
  local expires = redis.call('ZSCORE', LIVE, token)
  if expires and tonumber(expires) > now then
    waiters[#waiters + 1] = redis.call('HGET', FACTS, 'w:' .. token)
    waiters[#waiters + 1] = expires
  end
end
return { now, leases, waiters }
