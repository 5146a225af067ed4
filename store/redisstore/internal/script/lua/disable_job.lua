-- Sets or clears the flag that keeps a declared job from starting.
-- Uses: clock, signals.
-- KEYS  1 job, 2 due
-- ARGV  job, disabled (1), channel
-- Returns {ok}, {missing}
-- A periodic job has no due time while it is disabled; whoever promotes gives it one after that.
-- Repeat: absolute.
local v = redis.call('HMGET', KEYS[1], 'created', 'kind', 'disabled')
if not v[1] then
  return { 'missing' }
end
local member = 'j:' .. ARGV[1]
if ARGV[2] == '1' then
  redis.call('ZREM', KEYS[2], member)
  redis.call('HDEL', KEYS[1], 'due', 'acts')
  redis.call('HSET', KEYS[1], 'disabled', 1)
elseif v[3] then
  redis.call('HDEL', KEYS[1], 'disabled')
  if v[2] == 'periodic' then
    redis.call('ZADD', KEYS[2], now, member)
    signal('d')
    publish(ARGV[3])
  end
end
return { 'ok' }
