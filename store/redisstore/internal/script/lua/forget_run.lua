-- Removes the summary of a purged run, and its job with the last of them unless the job is declared or disabled.
-- Uses: arguments, owned.
-- KEYS  1 run, 2 dead letters, 3 starts, 4 job, 5 jobs, 6 hist, 7 trash, 8 its configuration, 9 names of its values,
--       10 names of the job's values; its values; the job's values
-- ARGV  run, token, job; names of its values: n, name × n; of the job's likewise
-- Returns {ok}, {active}, {dirty}: it is still to be purged, {again}: the run, or the job, has other values by now
-- Repeat: absolute.
local RUN, DEAD, STARTS, JOB, JOBS, HIST, TRASH, CONFIGURATION, NAMES, JOB_NAMES = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10]
local id, token, job = arg(), arg(), arg()
local state = redis.call('HGET', RUN, 'state')
if state and state ~= 'succeeded' and state ~= 'failed' and state ~= 'stopped' and state ~= 'skipped' then
  return { 'active' }
end
if redis.call('ZSCORE', TRASH, id) then
  return { 'dirty' }
end
local n = owns(NAMES)
if not n or not owns(JOB_NAMES) then
  return { 'again' }
end
redis.call('UNLINK', RUN, DEAD, CONFIGURATION, NAMES, unpack(KEYS, 11, 10 + n))
redis.call('HDEL', STARTS, token)
redis.call('ZREM', HIST, id)
local v = redis.call('HMGET', JOB, 'kind', 'disabled')
if v[1] == 'single-pass' and not v[2] and redis.call('EXISTS', STARTS) == 0 then
  redis.call('DEL', JOB)
  redis.call('UNLINK', JOB_NAMES, unpack(KEYS, 11 + n))
  redis.call('ZREM', JOBS, job)
end
return { 'ok' }
