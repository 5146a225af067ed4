-- Declares a job, or updates its definition.
-- Uses: audit, clock, index, numbers, signals.
-- KEYS  1 job, 2 jobs, 3 last run as the caller knows it (or the job), 4 due, 5 index, 6 audit
-- ARGV  job, kind, definition, revision, last known number, schedule, due at once when created (1), channel, line of the audit
-- Returns {created}, {updated}, {unchanged}, {kept}, {active}, {again}
-- Repeat: absolute; a repeat of created or updated finds it unchanged.
-- below compares whole numbers as texts, because numbers of Lua have 53 bits. A stored text that is
-- not a number is below all.
local JOB, JOBS, LAST_RUN, DUE, INDEX = unpack(KEYS)
local function shorter(a, b)
  return #a < #b or #a == #b and a < b
end
local function below(a, b)
  if not string.match(b or '', '^%-?%d+$') then
    return false
  end
  local negative = string.sub(a, 1, 1) == '-'
  if negative ~= (string.sub(b, 1, 1) == '-') then
    return negative
  elseif negative then
    return shorter(b, a)
  end
  return shorter(a, b)
end

local v = redis.call('HMGET', JOB, 'type', 'definition', 'revision', 'run', 'schedule', 'disabled')
if (v[4] or '') ~= ARGV[5] then
  return { 'again' }
end
if v[2] then
  if below(ARGV[4], v[3]) then
    return { 'kept' }
  end
  if v[1] == ARGV[2] and v[2] == ARGV[3] then
    redis.call('HDEL', JOB, '') -- first, so that a worker can start when memory is short
    redis.call('HSET', JOB, 'revision', ARGV[4])
    if ARGV[2] == 'periodic' and not v[6] and redis.call('ZADD', DUE, 'NX', now, 'j:' .. ARGV[1]) == 1 then
      signal('d') -- it was lost
      publish(ARGV[8])
    end
    return { 'unchanged' }
  end
elseif v[4] then
  local state = redis.call('HGET', LAST_RUN, 'state')
  if state and state ~= 'succeeded' and state ~= 'failed' and state ~= 'stopped' and state ~= 'skipped' then
    return { 'active' }
  end
end
redis.call('ZADD', JOBS, 0, ARGV[1])
redis.call('HSET', JOB, 'type', ARGV[2], 'definition', ARGV[3], 'revision', ARGV[4], 'changed', now)
list_job(INDEX, ARGV[1])
add_to(JOB, 'changes', 1)
redis.call('HSETNX', JOB, 'created', now)
local solved = redis.call('HDEL', JOB, 'problem', 'problemsince') > 0
local member = 'j:' .. ARGV[1]
redis.call('ZREM', JOBS, '\1' .. ARGV[1])
if ARGV[2] == 'periodic' then
  redis.call('ZADD', JOBS, 0, '\1' .. ARGV[1]) -- once more, in front of all names
end
if ARGV[2] ~= 'periodic' then
  redis.call('HDEL', JOB, 'schedule', 'due', 'acts')
  redis.call('ZREM', DUE, member)
elseif v[5] ~= ARGV[6] then
  redis.call('HSET', JOB, 'schedule', ARGV[6])
  redis.call('HDEL', JOB, 'due', 'acts')
  if not v[6] then
    if not v[2] and ARGV[7] == '1' then
      redis.call('HSET', JOB, 'due', now, 'acts', now)
    end
    redis.call('ZADD', DUE, now, member) -- a worker that promotes gives it a due time
    signal('d')
  end
elseif solved then
  redis.call('ZADD', DUE, now, member)
  signal('d')
end
audit(ARGV[9])
signal('j:' .. ARGV[1])
publish(ARGV[8])
return { v[2] and 'updated' or 'created' }
