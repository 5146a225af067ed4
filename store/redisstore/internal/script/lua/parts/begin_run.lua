-- Uses: arguments, clock, idle, index, large, ledger, rings, runs, signals.
-- Shared by the scripts that begin a run under a number that the caller proposes from the server's
-- clock.
-- KEYS  1 meta, 2 jobs, 3 job, 4 starts, 5 last run as the caller knows it (or the job), 6 clock, 7 due, 8 routes,
--       9 run, 10 lanes, 11 holds; 12 W, 13 D, 14 ring of the lane of the first task: the pre-job hook's, or else the root's; 15 the run's configuration, 16 index, 17 ledger
-- ARGV  open (1), sealed or stopped after in ms or '', root (1), pre-job (1), root's message, root's when, root's route, then if there is a first
--       task: route, queue, message, when; fields of the run: n, (name, value) × n; its deadline in ms from now, or 0; document of its configuration, if it has one
local META, JOBS, JOB, STARTS, LAST_RUN, CLOCK, DUE, ROUTES, RUN, LANES, HOLDS, WAITING, DELAYED, RING,
  CONFIGURATION, INDEX, LEDGER = unpack(KEYS)

local function is_active(state)
  return state and state ~= 'succeeded' and state ~= 'failed' and state ~= 'stopped' and state ~= 'skipped'
end

-- list_run stores the run as the newest of its job.
local function list_run(job, token, number)
  redis.call('HSET', META, 'run', number)
  redis.call('ZADD', JOBS, 0, job)
  redis.call('HSET', JOB, 'run', number)
  redis.call('HSETNX', JOB, 'type', 'single-pass')
  redis.call('HSETNX', JOB, 'created', now)
  redis.call('HSET', STARTS, token, number)
end

-- add_first puts the first task into its lane.
local function add_first(run, route, queue, message, when)
  redis.call('SADD', LANES, route)
  if when == '' then
    redis.call('RPUSH', WAITING, message)
    note_pushed(run, route, { message }, 1, 1)
    enter(RING, { clock = CLOCK, routes = ROUTES }, run, queue)
    return
  end
  local due = tonumber(when)
  if string.sub(when, 1, 1) == '+' then
    due = now + due
  end
  redis.call('ZADD', DELAYED, due, message)
  redis.call('ZADD', DUE, due, run.id .. '/' .. route)
  signal('d')
end

-- first_fields returns the fields that every run has, with those of the caller, and a function that
-- adds one. What most scripts read comes first, see runs.lua.
local function first_fields(job, token, state)
  local fields = { 'state', state, 'signalled', 0 }
  local function set(name, value)
    fields[#fields + 1], fields[#fields + 2] = name, value
  end
  for _, name in ipairs(COUNTERS) do
    set(name, 0)
  end
  set('job', job)
  for _ = 1, num() do
    set(arg(), arg())
  end
  set('token', token)
  set('created', now)
  set('changed', now)
  return fields, set
end

-- begin makes the run after everything was checked.
local function begin(job, token, number)
  local open, seal, has_root, has_pre = num() == 1, arg(), num() == 1, num() == 1
  list_run(job, token, number)

  local root, root_when, root_route = arg(), arg(), arg()
  local route, queue, message, when
  if has_root or has_pre then
    route, queue, message, when = arg(), arg(), arg(), arg()
  end
  local state = has_pre and 'starting' or 'running'
  local fields, set = first_fields(job, token, state)
  local deadline = num()
  if deadline > 0 then
    set('deadline', string.format('%.0f', now + deadline))
    end_at(DUE, 'd:' .. number, now + deadline)
  end
  local document = arg()
  if document then
    set('configured', 1)
    redis.call('HSET', CONFIGURATION, 'version', 1, 'document', document)
  end
  if open then
    set('holds', 1)
    redis.call('HSET', HOLDS, 'open', now)
    if seal ~= '' then
      set('sealafter', seal)
      end_when_idle(DUE, number, seal)
    end
  end
  if has_pre and has_root then
    -- The root task waits in the run itself until the hook has passed. It counts as pending.
    set('root', root)
    if root_when ~= '' then
      set('rootwhen', root_when)
    end
  end
  redis.call('HSET', RUN, unpack(fields))
  list_state(INDEX, number, job, state, now)
  local run = open_run(RUN, number)
  if has_root then
    run.total, run.pending = 1, 1
    tally('e:', root_route, 1)
  end
  if route then
    add_first(run, route, queue, message, when)
    if when ~= '' and not has_pre then
      run.pending, run.delayed = 0, 1
    end
  end
  save_run(run)
  write_ledger(LEDGER, ROUTES)
  signal('r:' .. number)
  signal('j:' .. job)
end
