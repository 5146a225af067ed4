-- Removes the summary of a purged run. With the last summary it also removes the job, unless that
-- is declared or disabled. If the record of a run is gone, it removes what still names the run.
-- Uses: arguments, audit, clock, index, numbers, owned, signals.
-- KEYS  1 run, 2 dead letters, 3 starts, 4 job, 5 jobs, 6 hist, 7 trash, 8 its configuration, 9 failing, 10 index,
--       11 its results, 12 names of its values, 13 names of the job's values; its values; the job's values; last: audit
-- ARGV  channel, run, job, 1 if its record was there, 1 if it is to be kept until its time is over,
--       lines of the audit about the run, and about the job if it is removed; tokens that start it: n, token × n;
--       names of its values: n, name × n; of the job's likewise
-- Returns {ok}, {active}, {dirty}: it is still to be purged, {again}: the record is there, or is not, or the run, or the job, has other
--       values by now
-- Repeat: absolute.
local RUN, DEAD, STARTS, JOB, JOBS, HIST, TRASH, CONFIGURATION, FAILING, INDEX, RESULTS, NAMES, JOB_NAMES =
  unpack(KEYS)
local channel, id, job, known, kept = arg(), arg(), arg(), num() == 1, num() == 1
local run_line, job_line = arg(), arg()
local state = redis.call('HGET', RUN, 'state')
if state and state ~= 'succeeded' and state ~= 'failed' and state ~= 'stopped' and state ~= 'skipped' then
  redis.call('ZREM', HIST, id)
  return { 'active' }
end
if (redis.call('EXISTS', RUN) == 1) ~= known then
  return { 'again' }
end
if kept and number_of(redis.call('ZSCORE', HIST, id)) > now then
  return { 'ok' }
end
if redis.call('ZSCORE', TRASH, id) then
  return { 'dirty' }
end
local tokens = {}
for i = 1, num() do
  tokens[i] = arg()
end
local n = owns(NAMES)
if not n or not owns(JOB_NAMES) then
  return { 'again' }
end
redis.call('UNLINK', RUN, DEAD, CONFIGURATION, RESULTS, NAMES, unpack(KEYS, 14, 13 + n))
for _, token in ipairs(tokens) do
  if redis.call('HGET', STARTS, token) == id then
    redis.call('HDEL', STARTS, token)
  end
end
redis.call('ZREM', HIST, id)
redis.call('ZREM', FAILING, id)
redis.call('ZREM', INDEX, id)
local v = redis.call('HMGET', JOB, 'type', 'disabled', 'run')
if v[1] == 'single-pass' and not v[2] and redis.call('EXISTS', STARTS) == 0 then
  redis.call('DEL', JOB)
  redis.call('UNLINK', JOB_NAMES, unpack(KEYS, 14 + n, #KEYS - 1))
  redis.call('ZREM', JOBS, job)
  redis.call('ZREM', INDEX, 'j:' .. job)
  audit(job_line)
elseif v[3] == id then
  local changed = number_of(redis.call('ZSCORE', INDEX, 'j:' .. job)) % STEP
  redis.call('HSET', JOB, 'changed', changed)
  redis.call('ZADD', INDEX, NO_RUN * STEP + changed, 'j:' .. job)
end
audit(run_line, id)
signal('j:' .. job)
publish(channel)
return { 'ok' }
