-- Sets the mode of a partition.
-- Uses: arguments, signals.
-- KEYS  1 meta
-- ARGV  channel, mode
-- Returns {ok}
-- Repeat: absolute. HDEL goes first so that it passes when memory is short.
local channel, mode = arg(), arg()
redis.call('HDEL', KEYS[1], 'mode')
if mode ~= 'read-write' then
  redis.call('HSET', KEYS[1], 'mode', mode)
end
signal('m')
publish(channel)
return { 'ok' }
