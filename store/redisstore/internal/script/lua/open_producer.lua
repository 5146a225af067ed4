-- Registers a stream of a producer.
-- KEYS  1 producer record
-- ARGV  ttl
-- Returns {ok}
-- Repeat: one that is there stays as it is. UNLINK goes first so that it passes when memory is short: to seal a run takes a stream.
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('UNLINK', KEYS[1])
  redis.call('SET', KEYS[1], '0 |', 'PX', ARGV[1])
end
return { 'ok' }
