-- Uses: clock.
-- The index lists each run by its number, and each job as j:JOB. A score is the number of a state ×
-- STEP, and when the entry changed last, in ms. So one range has a state, and one ZADD moves an
-- entry to another. A job stands where its newest run stands, OF_JOBS states behind; a job of which
-- that run is not kept, or that had none, stands behind all.
local STATES = { starting = 0, running = 1, finishing = 2, stopping = 3, succeeded = 4, failed = 5, stopped = 6, skipped = 7 }
local STEP, OF_JOBS, NO_RUN = 1e13, 8, 16

-- list_state lists the newest run of a job, and so the job, in a state of the run, as of a time.
local function list_state(index, id, job, state, at)
  redis.call('ZADD', index, STATES[state] * STEP + at, id, (STATES[state] + OF_JOBS) * STEP + at, 'j:' .. job)
end

-- list_job lists a job as changed now, where it stands.
local function list_job(index, job)
  local score = tonumber(redis.call('ZSCORE', index, 'j:' .. job) or nil) or NO_RUN * STEP
  local state = math.floor(score / STEP)
  redis.call('ZADD', index, math.max(score, state * STEP + now), 'j:' .. job)
end

-- The fields that say when a run came to a state, where created and ended do not.
local CAME = { running = 'hookpassed', stopping = 'stopbegan' }

-- change_state moves an active run to a state, which may be the one that it has, and sets more
-- fields of it: its state, or whether it is paused, changed now. job is the name of its job, if that
-- is known.
local function change_state(run, index, state, job, ...)
  local came = run.state ~= state and CAME[state]
  run.state = state
  redis.call('HSET', run.key, 'state', state, 'changed', now, ...)
  if came then
    redis.call('HSET', run.key, came, now)
  end
  job = job or redis.call('HGET', run.key, 'job')
  if job then -- a record without it is damaged
    list_state(index, run.id, job, state, now)
  end
end
