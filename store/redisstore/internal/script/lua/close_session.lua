-- Closes a session, so that nothing can be fetched, staged or settled by it any more; what it holds stays for reclaim.
-- Uses: clock.
-- KEYS  1 session, 2 leases, 3 terms
-- ARGV  session, forced (1: by its own worker; 0: only if its lease has run out)
-- Returns {closed}: it holds tasks; {gone}; {alive}
-- Repeat: absolute. HDEL goes first so that it passes when memory is short.
if ARGV[2] == '0' then
  local expires = redis.call('ZSCORE', KEYS[2], ARGV[1])
  if expires and tonumber(expires) > now then
    return { 'alive' }
  end
end
redis.call('HDEL', KEYS[1], 'fetch', 'settle', 'info', 'busy')
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('HDEL', KEYS[3], ARGV[1])
  return { 'gone' }
end
redis.call('ZADD', KEYS[2], 0, ARGV[1])
return { 'closed' }
