-- Removes the summary of a purged run, and its job with the last of them unless the job is declared or disabled.
-- Uses: arguments, owned.
-- KEYS  1 run, 2 dead letters, 3 starts, 4 job, 5 jobs, 6 hist, 7 trash, 8 its configuration, 9 names of its values,
--       10 names of the job's values; its values; the job's values
-- ARGV  run, token, job; names of its values: n, name × n; of the job's likewise
-- Returns {ok}, {active}, {dirty}: it is still to be purged, {again}: the run, or the job, has other values by now
-- Repeat: absolute.
local id, token, job = arg(), arg(), arg()
local state = redis.call('HGET', KEYS[1], 'state')
if state and state ~= 'succeeded' and state ~= 'failed' and state ~= 'stopped' and state ~= 'skipped' then
  return { 'active' }
end
if redis.call('ZSCORE', KEYS[7], id) then
  return { 'dirty' }
end
local n = owns(KEYS[9])
if not n or not owns(KEYS[10]) then
  return { 'again' }
end
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[8], KEYS[9], unpack(KEYS, 11, 10 + n))
redis.call('HDEL', KEYS[3], token)
redis.call('ZREM', KEYS[6], id)
local v = redis.call('HMGET', KEYS[4], 'kind', 'disabled')
if v[1] == 'single-pass' and not v[2] and redis.call('EXISTS', KEYS[3]) == 0 then
  redis.call('DEL', KEYS[4])
  redis.call('UNLINK', KEYS[10], unpack(KEYS, 11 + n))
  redis.call('ZREM', KEYS[5], job)
end
return { 'ok' }
