-- Closes a session: it can no longer fetch, stage or settle. Its tasks stay until reclaim.
-- Uses: clock.
-- KEYS  1 session, 2 leases, 3 terms
-- ARGV  session, forced (1: by its own worker; 0: only if its lease has run out)
-- Returns {closed, description, what runs}: it holds tasks; {gone}; {alive}
-- Repeat: absolute. HDEL is first, so that the script runs when memory is short.
local SESSION, LEASES, TERMS = KEYS[1], KEYS[2], KEYS[3]
if ARGV[2] == '0' then
  local expires = redis.call('ZSCORE', LEASES, ARGV[1])
  if expires and tonumber(expires) > now then
    return { 'alive' }
  end
end
local said = redis.call('HMGET', SESSION, 'info', 'busy')
redis.call('HDEL', SESSION, 'fetch', 'settle', 'info', 'busy')
if redis.call('EXISTS', SESSION) == 0 then
  redis.call('ZREM', LEASES, ARGV[1])
  redis.call('HDEL', TERMS, ARGV[1])
  return { 'gone' }
end
redis.call('ZADD', LEASES, 0, ARGV[1])
return { 'closed', said[1] or '', said[2] or '' }
