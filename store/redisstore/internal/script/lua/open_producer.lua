-- Registers a stream of a producer.
-- KEYS  1 producer record
-- ARGV  ttl
-- Returns {ok}
-- Repeat: an existing record is only kept longer. PEXPIRE is first, so that the script runs when
--       memory is short: sealing a run needs a stream.
local PRODUCER = KEYS[1]
if redis.call('PEXPIRE', PRODUCER, ARGV[1]) == 0 then
  redis.call('SET', PRODUCER, '0 |', 'PX', ARGV[1])
end
return { 'ok' }
