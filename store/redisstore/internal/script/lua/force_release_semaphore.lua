-- Ends leases of a semaphore before their time.
-- Uses: arguments, semaphore, signals.
-- KEYS  as in semaphore.lua
-- ARGV  channel, key of the semaphore, fencing number (0: all)
-- Returns {ended}
-- Repeat: a number is never given again.
local channel, key, fence = arg(), arg(), arg()
expire()
local ended = 0
for _, token in ipairs(redis.call('ZRANGE', HELD, 0, -1)) do
  local lease = redis.call('HGET', FACTS, 'l:' .. token) or ''
  if fence == '0' or string.match(lease, '^%d+ (%d+)') == fence then
    end_lease(token)
    ended = ended + 1
  end
end
if ended > 0 then
  forget_when_idle()
  signal_first(key)
  publish(channel)
end
return { ended }
