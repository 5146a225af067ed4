-- Ends a lease of a semaphore, or a place in its line.
-- Uses: arguments, semaphore, signals.
-- KEYS  as in semaphore.lua; 5 listed
-- ARGV  channel, key of the semaphore, token
-- Returns {ok}, {lost}: the token has neither
-- Repeat: finds it gone.
local channel, key, token = arg(), arg(), arg()
expire()
if redis.call('HEXISTS', FACTS, 'l:' .. token) == 1 then
  end_lease(token)
elseif redis.call('ZSCORE', LINE, token) then
  leave_line(token)
else
  return { 'lost' }
end
if forget_when_idle() then
  redis.call('ZREM', KEYS[5], 's/' .. key)
end
signal_first(key)
publish(channel)
return { 'ok' }
