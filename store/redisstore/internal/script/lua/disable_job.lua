-- Sets or clears the flag that keeps a declared job from starting.
-- Uses: clock, signals.
-- KEYS  1 job, 2 due
-- ARGV  job, disabled (1), channel
-- Returns {ok}, {missing}
-- A periodic job has no due time while it is disabled. Later a worker that promotes gives it one.
-- Repeat: absolute.
local JOB, DUE = KEYS[1], KEYS[2]
local v = redis.call('HMGET', JOB, 'created', 'type', 'disabled')
if not v[1] then
  return { 'missing' }
end
local member = 'j:' .. ARGV[1]
if ARGV[2] == '1' then
  redis.call('ZREM', DUE, member)
  redis.call('HDEL', JOB, 'due', 'acts', 'problem', 'problemsince')
  redis.call('HSET', JOB, 'disabled', 1)
  if not v[3] then
    signal('j:' .. ARGV[1])
  end
elseif v[3] then
  redis.call('HDEL', JOB, 'disabled')
  if v[2] == 'periodic' then
    redis.call('ZADD', DUE, now, member)
    signal('d')
  end
  signal('j:' .. ARGV[1])
end
publish(ARGV[3])
return { 'ok' }
