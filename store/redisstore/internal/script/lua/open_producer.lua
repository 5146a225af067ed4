-- Registers a stream of a producer.
-- KEYS  1 producer record
-- ARGV  ttl
-- Returns {ok}
-- Repeat: one that is there only lives on. PEXPIRE goes first so that it passes when memory is
--       short: to seal a run takes a stream.
local PRODUCER = KEYS[1]
if redis.call('PEXPIRE', PRODUCER, ARGV[1]) == 0 then
  redis.call('SET', PRODUCER, '0 |', 'PX', ARGV[1])
end
return { 'ok' }
