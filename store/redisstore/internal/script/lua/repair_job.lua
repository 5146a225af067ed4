-- Fixes what is stored of a job, without its runs.
-- Uses: arguments, audit, clock, index, numbers, signals.
-- KEYS  1 job, 2 jobs, 3 starts, 4 due, 5 failing, 6 index; a run each; names of a job's or run's values and a value each; last: audit
-- ARGV  channel, job, dry run (1); runs: n, (number, token) × n; fields of the job: n, (name, value as it was read, new value) × n; values: n, (index, name, what) × n;
--       entries of the index that nothing seems to belong to: n, (index of a key that should be there, entry) × n; line of the audit or '', its run
--       A token is '' for a run that only starts has.
-- Returns {kind, what, detail …}: what was fixed, or would be
-- Repeat: absolute. HDEL is first, so that the script runs when memory is short.
local JOB, JOBS, STARTS, DUE, FAILING, INDEX = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local channel, job, dry = arg(), arg(), num() == 1
local found, last = {}, 0
local function damage(kind, what, detail, fix)
  local n = #found
  found[n + 1], found[n + 2], found[n + 3] = kind, what, detail
  if not dry then
    fix()
  end
end
if not dry then
  redis.call('HDEL', JOB, '')
end
local runs, starts = num(), redis.call('HGETALL', STARTS)
local by_run = {}
for i = 1, #starts, 2 do
  by_run[starts[i + 1]] = starts[i]
end
for i = 1, runs do
  local id, token = arg(), arg()
  if redis.call('EXISTS', KEYS[6 + i]) == 0 then
    if by_run[id] then
      damage('record', 'run ' .. id, 'its record is missing, its state is lost: it is forgotten', function()
        redis.call('HDEL', STARTS, by_run[id])
        redis.call('ZREM', FAILING, id)
      end)
    end
  else
    last = math.max(last, tonumber(id))
    if token ~= '' and redis.call('HGET', STARTS, token) ~= id then
      damage('index', 'run ' .. id, 'the job does not list it: it is listed again', function()
        redis.call('HSET', STARTS, token, id)
      end)
    end
  end
end
for _ = 1, num() do
  local name, seen, new = arg(), arg(), arg()
  if (redis.call('HGET', JOB, name) or '') == seen then
    damage('record', 'job', 'field ' .. name .. ' cannot be read: it becomes ' .. new, function()
      redis.call('HSET', JOB, name, new)
    end)
  end
end
local known = redis.call('HMGET', JOB, 'type', 'run', 'created')
if last > 0 and (tonumber(known[2] or 0) or 0) < last then
  damage('record', 'job', string.format('its newest run is not %.0f: it is noted again', last), function()
    redis.call('HSET', JOB, 'run', string.format('%.0f', last))
  end)
end
if last > 0 and not known[1] then
  damage('record', 'job', 'it has no type: it is single-pass', function()
    redis.call('HSET', JOB, 'type', 'single-pass')
    redis.call('HSETNX', JOB, 'created', now)
  end)
end
if (last > 0 or known[1]) and not redis.call('ZSCORE', JOBS, job) then
  damage('index', 'job', 'it is not among the jobs: it is listed again', function()
    redis.call('ZADD', JOBS, 0, job)
  end)
end
local fires = redis.call('HMGET', JOB, 'type', 'disabled', 'acts')
if (fires[1] == 'periodic') ~= (redis.call('ZSCORE', JOBS, '\1' .. job) ~= false) then
  damage('index', 'job', 'it is not among the periodic jobs as its type says: that is set right', function()
    redis.call('ZREM', JOBS, '\1' .. job)
    if fires[1] == 'periodic' then
      redis.call('ZADD', JOBS, 0, '\1' .. job)
    end
  end)
end
if fires[1] == 'periodic' and not fires[2] and not redis.call('ZSCORE', DUE, 'j:' .. job) then
  damage('index', 'job', 'it had no due time in the index: it is added', function()
    redis.call('ZADD', DUE, tonumber(fires[3] or now) or now, 'j:' .. job)
    signal('d')
  end)
end
for _ = 1, num() do
  local index, name, what = num(), arg(), arg()
  if redis.call('EXISTS', KEYS[index + 1]) == 1 and redis.call('SISMEMBER', KEYS[index], name) == 0 then
    damage('index', what, 'the job does not list it: it is listed again', function()
      redis.call('SADD', KEYS[index], name)
    end)
  end
end
-- If its newest run is there, the repair of that one lists the job.
local gone = known[1] and (last == 0 or last < number_of(known[2]))
local listed = tonumber(redis.call('ZSCORE', INDEX, 'j:' .. job) or -1)
if gone and (listed < NO_RUN * STEP or listed >= (NO_RUN + 1) * STEP) then
  damage('index', 'job', 'it is not listed as it is, without its newest run: it is listed again', function()
    local at = redis.call('HMGET', JOB, 'changed', 'created')
    redis.call('ZADD', INDEX, NO_RUN * STEP + number_of(at[1] or at[2]), 'j:' .. job)
  end)
end
for _ = 1, num() do
  local record, entry = num(), arg()
  local made = entry == 'j:' .. job and last > 0 -- above, or it would be in a dry run
  if not made and redis.call('EXISTS', KEYS[record]) == 0 and redis.call('ZSCORE', INDEX, entry) then
    damage('orphan', 'entry ' .. entry .. ' of the index', 'it is of nothing: it is removed', function()
      redis.call('ZREM', INDEX, entry)
    end)
  end
end
if #found > 0 then
  audit(arg(), arg())
end
publish(channel)
return found
