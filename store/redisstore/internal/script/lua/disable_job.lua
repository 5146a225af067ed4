-- Sets or clears the flag that keeps a declared job from starting.
-- Uses: audit, clock, index, signals.
-- KEYS  1 job, 2 due, 3 index, 4 audit
-- ARGV  job, disabled (1), channel, line of the audit
-- Returns {ok}, {missing}
-- A periodic job has no due time while it is disabled. Later a worker that promotes gives it one.
-- Repeat: absolute.
local JOB, DUE, INDEX = unpack(KEYS)
local v = redis.call('HMGET', JOB, 'created', 'type', 'disabled')
if not v[1] then
  return { 'missing' }
end
local member = 'j:' .. ARGV[1]
if ARGV[2] == '1' then
  redis.call('ZREM', DUE, member)
  redis.call('HDEL', JOB, 'due', 'acts', 'problem', 'problemsince')
  if not v[3] then
    redis.call('HSET', JOB, 'disabled', 1, 'changed', now)
    list_job(INDEX, ARGV[1])
    audit(ARGV[4])
    signal('j:' .. ARGV[1])
  end
elseif v[3] then
  redis.call('HDEL', JOB, 'disabled')
  redis.call('HSET', JOB, 'changed', now)
  list_job(INDEX, ARGV[1])
  audit(ARGV[4])
  if v[2] == 'periodic' then
    redis.call('ZADD', DUE, now, member)
    signal('d')
  end
  signal('j:' .. ARGV[1])
end
publish(ARGV[3])
return { 'ok' }
