-- Removes claimed IDs whose time is over.
-- Uses: clock.
-- KEYS  1 kept, then buckets
-- ARGV  name of each bucket in kept
-- Returns {ok}
-- Repeat: absolute.
local KEPT = KEYS[1]
for i, name in ipairs(ARGV) do
  redis.call('ZREMRANGEBYSCORE', KEYS[i + 1], '-inf', now)
  local next = redis.call('ZRANGEBYSCORE', KEYS[i + 1], '-inf', '(' .. FAR, 'WITHSCORES', 'LIMIT', 0, 1)
  if next[2] then
    redis.call('ZADD', KEPT, next[2], name)
  else
    redis.call('ZREM', KEPT, name)
  end
end
return { 'ok' }
