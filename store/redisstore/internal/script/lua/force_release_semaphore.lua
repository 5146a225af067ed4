-- Ends leases of a semaphore before their time.
-- Uses: arguments, audit, semaphore, signals.
-- KEYS  as in semaphore.lua; 5 listed, 6 audit
-- ARGV  channel, key of the semaphore, first and last fencing number, line of the audit
-- Returns {ended}
-- Repeat: a number is never given again.
local channel, key, first, last, line = arg(), arg(), num(), num(), arg()
expire()
local ended = 0
for _, token in ipairs(redis.call('ZRANGE', HELD, 0, -1)) do
  local lease = redis.call('HGET', FACTS, 'l:' .. token) or ''
  local fence = tonumber(string.match(lease, '^%d+ (%d+)') or first) -- a damaged lease ends with any other
  if first <= fence and fence <= last then
    end_lease(token)
    ended = ended + 1
  end
end
if ended > 0 then
  if forget_when_idle() then
    redis.call('ZREM', KEYS[5], 's/' .. key)
  end
  audit(line)
  signal_first(key)
  publish(channel)
end
return { ended }
