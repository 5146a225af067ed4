-- Declares a job, or updates its definition.
-- KEYS  1 job, 2 jobs, 3 last run as the caller knows it (or the job)
-- ARGV  job, kind, definition, revision, last known number
-- Returns {created}, {updated}, {unchanged}, {kept}, {active}, {again}
-- Repeat: absolute; a repeat of created or updated finds it unchanged.
local v = redis.call('HMGET', KEYS[1], 'kind', 'definition', 'revision', 'run')
if (v[4] or '') ~= ARGV[5] then
  return { 'again' }
end
if v[2] then
  local stored, given = tonumber(v[3]), tonumber(ARGV[4])
  if stored > given then
    return { 'kept' }
  end
  if v[1] == ARGV[2] and v[2] == ARGV[3] then
    redis.call('HSET', KEYS[1], 'revision', ARGV[4])
    return { 'unchanged' }
  end
elseif v[4] then
  local state = redis.call('HGET', KEYS[3], 'state')
  if state and state ~= 'succeeded' and state ~= 'failed' and state ~= 'stopped' and state ~= 'skipped' then
    return { 'active' }
  end
end
redis.call('ZADD', KEYS[2], 0, ARGV[1])
redis.call('HSET', KEYS[1], 'kind', ARGV[2], 'definition', ARGV[3], 'revision', ARGV[4])
redis.call('HSETNX', KEYS[1], 'created', now)
return { v[2] and 'updated' or 'created' }
