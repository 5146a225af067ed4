-- Sets the mode of a partition.
-- Uses: arguments, signals.
-- KEYS  1 meta
-- ARGV  channel, mode
-- Returns {ok}
-- Repeat: absolute. HDEL goes first so that it passes when memory is short.
local META = KEYS[1]
local channel, mode = arg(), arg()
redis.call('HDEL', META, 'mode')
if mode ~= 'read-write' then
  redis.call('HSET', META, 'mode', mode)
end
signal('m')
publish(channel)
return { 'ok' }
