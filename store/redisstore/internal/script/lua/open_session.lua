-- Registers a worker session.
-- Uses: clock.
-- KEYS  1 session, 2 leases, 3 terms
-- ARGV  session, lease in ms, description
-- Returns {ok}, {stale}: it was used already
-- Repeat: absolute until the session's first fetch.
local record = redis.call('HGET', KEYS[1], 'fetch')
if record and record ~= '0' then
  return { 'stale' }
end
redis.call('ZREM', KEYS[2], ARGV[1]) -- first, so that it passes when memory is short
redis.call('HSET', KEYS[1], 'fetch', '0', 'settle', '0', 'info', ARGV[3], 'busy', '')
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], now + ARGV[2], ARGV[1])
return { 'ok' }
