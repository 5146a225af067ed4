-- Removes a job without runs.
-- Uses: arguments, audit, owned, signals.
-- KEYS  1 job, 2 jobs, 3 starts, 4 due, 5 index, 6 names of its values; its values; last: audit
-- ARGV  channel, job, line of the audit; names of its values: n, name × n
-- Returns {ok}, {missing}, {runs}: there are runs, {again}: its values have changed
-- Repeat: absolute.
local JOB, JOBS, STARTS, DUE, INDEX, NAMES = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
if redis.call('EXISTS', JOB) == 0 then
  return { 'missing' }
end
if redis.call('EXISTS', STARTS) == 1 then
  return { 'runs' }
end
local channel, job, line = arg(), arg(), arg()
if not owns(NAMES) then
  return { 'again' }
end
redis.call('DEL', JOB)
redis.call('UNLINK', unpack(KEYS, 6, #KEYS - 1))
redis.call('ZREM', DUE, 'j:' .. job)
redis.call('ZREM', JOBS, job, '\1' .. job)
redis.call('ZREM', INDEX, 'j:' .. job)
audit(line)
signal('j:' .. job)
publish(channel)
return { 'ok' }
