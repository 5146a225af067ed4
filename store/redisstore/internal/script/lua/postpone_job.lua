-- Postpones a due periodic job that cannot be fired, and stores why. A job without a schedule is
-- not returned again.
-- Uses: arguments, clock, numbers, signals.
-- KEYS  1 job, 2 due
-- ARGV  channel, job, problem
-- Returns {ok}, {missing}
-- Repeat: postpones it again, counted from the same beginning.
local JOB, DUE = KEYS[1], KEYS[2]
local FIRST, LAST = 1000, 60000 -- ms; store.PostponeFirst and PostponeLast
local channel, job, problem = arg(), arg(), arg()
local member = 'j:' .. job
local v = redis.pcall('HMGET', JOB, 'type', 'disabled', 'acts', 'problem', 'problemsince')
if v.err then -- it is not a job, and cannot store why
  redis.call('ZREM', DUE, '') -- first, so that the script runs when memory is short
  redis.call('ZADD', DUE, 'XX', now + LAST, member)
  return { 'ok' }
end
if v[1] ~= 'periodic' or v[2] then
  redis.call('ZREM', DUE, member)
  return { v[1] and 'ok' or 'missing' }
end
if number_of(v[3]) > now then
  return { 'ok' }
end
local since = v[4] and math.min(number_of(v[5]), now) or now
redis.call('HDEL', JOB, '') -- first, so that the script runs when memory is short
redis.call('HSET', JOB, 'problem', problem, 'problemsince', string.format('%.0f', since))
redis.call('ZADD', DUE, now + math.min(math.max(now - since, FIRST), LAST), member)
if v[4] ~= problem then
  signal('j:' .. job)
  publish(channel)
end
return { 'ok' }
