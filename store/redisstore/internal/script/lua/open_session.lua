-- Registers a worker session.
-- Uses: clock, signals.
-- KEYS  1 session, 2 leases, 3 terms
-- ARGV  session, lease in ms, description, channel, status
-- Returns {ok}, {stale}: it was used already
-- Repeat: absolute until the session's first fetch; the status stays.
local SESSION, LEASES, TERMS = KEYS[1], KEYS[2], KEYS[3]
local record = redis.call('HGET', SESSION, 'fetch')
if record and record ~= '0' then
  return { 'stale' }
end
redis.call('ZREM', LEASES, ARGV[1]) -- first, so that the script runs when memory is short
redis.call('HSET', SESSION, 'fetch', '0', 'settle', '0', 'info', ARGV[3])
redis.call('HSETNX', SESSION, 'busy', '')
redis.call('HSETNX', SESSION, 'cancel', '')
redis.call('HSETNX', SESSION, 'status', ARGV[5])
redis.call('HSET', TERMS, ARGV[1], ARGV[2])
redis.call('ZADD', LEASES, now + ARGV[2], ARGV[1])
signal('o')
publish(ARGV[4])
return { 'ok' }
