-- Fixes one run: differences between its record, its lanes, the sessions that hold its tasks, and
-- the indexes.
-- Uses: arguments, audit, clock, ends, idle, index, numbers, rings, runs, signals.
-- KEYS  1 run, 2 clock, 3 due, 4 routes, 5 hist, 6 trash, 7 lanes, 8 holds, 9 and 10 waiting list and ring of the post-job lane, 11 kept,
--       12 dead letters, 13 failing, 14 index, 15 job;
--       then by index: per lane: W, U, D, M, ring; buckets of IDs; what else is stored of the run; last: audit
-- ARGV  channel, run, dry run (1), newest of the job's runs that are there (1); record as it was read: number of its virtual times, n, (name, value) × n;
--       fields: n, (name, value as it was read, new value, '' for none) × n;
--       lanes: n, (base, route, queue, state it needs, lengths of W, U, D and M as they were read) × n;
--       counters: n, (name, new value) × n, detail; kind of the hook that is nowhere, or '';
--       claims: n, (bucket, digest) × n; buckets: n, (index, name) × n; leftovers: n, index × n; line of the audit or '', its run
-- Returns {missing, still or moving, {positions, from 1, of the fields …}, {kind, what, detail …}}: what was fixed, or would be
-- The caller's count is right if record and lanes have not changed since it read them: no task can
-- have left and come back, because every fetch changes a virtual time. Only then the script fixes
-- counters, hook and claims. It always fixes what it can check itself.
-- Repeat: absolute. HDEL is first, so that the script runs when memory is short.
local RUN, CLOCK, DUE, ROUTES, HIST, TRASH, LANES, HOLDS, POST, POST_RING, KEPT, DEAD, FAILING, INDEX, JOB = unpack(KEYS, 1, 15)
local WAITING, SUSPECTS, DELAYED, MARKERS, RING = 0, 1, 2, 3, 4 -- behind the base of a lane
local ENDS = { hist = HIST, trash = TRASH, index = INDEX, due = DUE, clock = CLOCK, routes = ROUTES, lanes = LANES, post = POST, ring = POST_RING }
local channel, id, dry, newest = arg(), arg(), num() == 1, num() == 1
newest = newest and number_of(redis.pcall('HGET', JOB, 'run')) <= tonumber(id) -- or the newest is gone
if redis.call('TYPE', RUN).ok ~= 'hash' then
  return { 'missing', {}, {} }
end
local wrong, found = {}, {}
local function damage(kind, what, detail, fix)
  local n = #found
  found[n + 1], found[n + 2], found[n + 3] = kind, what, detail
  if not dry then
    fix()
  end
end

-- now_has reads a field as it will be after the damaged ones are fixed.
local fixed = {}
local function now_has(name)
  local value = fixed[name] or redis.call('HGET', RUN, name) or ''
  return value ~= '' and value
end

-- unmoved compares the record with what the caller read, and returns whether they are equal.
local function unmoved()
  local times = num()
  for _, name in ipairs(redis.call('HKEYS', RUN)) do
    if string.sub(name, 1, 2) == 'v:' then
      times = times - 1
    end
  end
  local still = times == 0
  for _ = 1, num() do
    local name, value = arg(), arg()
    if (redis.call('HGET', RUN, name) or '') ~= value then
      still = false
    end
  end
  return still
end

-- fix_fields replaces the fields that cannot be read.
local function fix_fields()
  if not dry then
    redis.call('HDEL', RUN, '')
  end
  for i = 1, num() do
    local name, seen, new = arg(), arg(), arg()
    if (redis.call('HGET', RUN, name) or '') == seen then
      wrong[#wrong + 1] = i
      fixed[name] = new
      if dry then
      elseif new == '' then
        redis.call('HDEL', RUN, name)
      else
        redis.call('HSET', RUN, name, new)
      end
    end
  end
end

local function length(command, list)
  local n = redis.pcall(command, list)
  return type(n) == 'number' and n or 0
end

-- read_lanes measures the lanes. It records in hooks which states have tasks, and returns whether
-- the lanes are as the caller read them.
local lanes, hooks = {}, {}
local function read_lanes()
  local still = true
  for i = 1, num() do
    local lane = { base = num(), route = arg(), queue = arg(), state = arg() }
    local sum = 0
    for j, command in ipairs({ 'LLEN', 'LLEN', 'ZCARD', 'LLEN' }) do
      local n = length(command, KEYS[lane.base + j - 1])
      if n ~= num() then
        still = false
      end
      sum = sum + n
      if j == 3 then
        lane.delayed = n
      end
    end
    lane.work = sum - lane.delayed
    if sum > 0 then
      hooks[lane.state] = true
    end
    lanes[i] = lane
  end
  return still
end

-- fix_counters sets counters that differ from the lanes and sessions.
local function fix_counters(still)
  local set = {}
  for _ = 1, num() do
    set[#set + 1] = arg()
    set[#set + 1] = arg()
  end
  local detail = arg()
  if still and #set > 0 then
    for i = 1, #set, 2 do
      fixed[set[i]] = set[i + 1]
    end
    damage('counts', 'counters', detail, function()
      redis.call('HSET', RUN, unpack(set))
      signal('r:' .. id)
    end)
  end
end

local state, run -- as they are after the record is fixed

-- list_lane adds a lane with tasks to the lists in which it must be.
local function list_lane(lane)
  if lane.work + lane.delayed > 0 and redis.call('SISMEMBER', LANES, lane.route) == 0 then
    damage('index', 'lane ' .. lane.route, 'the run does not list it: it is listed again', function()
      redis.call('SADD', LANES, lane.route)
    end)
  end
  if redis.call('EXISTS', KEYS[lane.base + RING]) == 1 and not redis.call('ZSCORE', ROUTES, lane.route) then
    damage('index', 'lane ' .. lane.route, 'the partition does not list it: it is listed again', function()
      redis.call('ZADD', ROUTES, 0, lane.route)
    end)
  end
end

-- promise_delayed makes sure that the delayed tasks of a lane are promoted in time.
local function promise_delayed(lane)
  if lane.delayed > 0 then
    local earliest = redis.call('ZRANGE', KEYS[lane.base + DELAYED], 0, 0, 'WITHSCORES')[2]
    local noted = redis.call('ZSCORE', DUE, id .. '/' .. lane.route)
    if not noted or tonumber(noted) > tonumber(earliest) then
      damage('index', 'lane ' .. lane.route, 'its delayed tasks had no due time in the index: it is added', function()
        redis.call('ZADD', DUE, earliest, id .. '/' .. lane.route)
        signal('d')
      end)
    end
  end
end

-- give_turns puts a lane with work into its ring, unless it may stand aside: while a lease of its
-- run can let it go on.
local function give_turns(lane)
  local at_clock = redis.call('HGET', CLOCK, lane.queue)
  if at_clock and not tonumber(at_clock) then
    damage('record', 'clock of queue ' .. lane.queue, 'it is not a number: it begins again', function()
      redis.call('HDEL', CLOCK, lane.queue)
    end)
  end
  local turn = redis.call('ZSCORE', KEYS[lane.base + RING], id)
  local aside = ' ' .. (redis.call('HGET', RUN, 'aside') or '') .. ' '
  local stuck = turn == 'inf' and state == 'running' and
    (tonumber(now_has('running') or 0) == 0 or not string.find(aside, ' ' .. lane.route .. ' ', 1, true))
  if lane.work > 0 and not run.paused and (not turn or stuck) then
    damage('index', 'lane ' .. lane.route, 'it has tasks and would get no turn: it gets turns again', function()
      redis.call('ZREM', KEYS[lane.base + RING], id)
      enter(KEYS[lane.base + RING], ENDS, run, lane.queue)
    end)
  end
end

-- fix_deadline makes sure that a run is stopped at its deadline.
local function fix_deadline()
  local deadline = tonumber(now_has('deadline') or nil)
  if deadline and not now_has('overdue') and not redis.call('ZSCORE', DUE, 'd:' .. id) then
    damage('index', 'deadline', 'it would not be stopped at its deadline: it is listed again', function()
      end_at(DUE, 'd:' .. id, deadline)
    end)
  end
end

-- fix_holds counts the holds, and makes sure that an idle open run ends.
local function fix_holds()
  local held = redis.call('HLEN', HOLDS)
  if tonumber(now_has('holds') or 0) ~= held then
    fixed.holds = held
    damage('counts', 'holds', string.format('the counter says %s, there are %d', redis.call('HGET', RUN, 'holds') or 0, held), function()
      redis.call('HSET', RUN, 'holds', held)
    end)
  end
  local after = tonumber(now_has('sealafter') or nil)
  if after and redis.call('HEXISTS', HOLDS, 'open') == 1 and not redis.call('ZSCORE', DUE, 'i:' .. id) then
    damage('index', 'open run', 'it would never be ' .. (now_has('stopidle') and 'stopped' or 'sealed') ..
      ' for being idle: it is listed again', function()
      end_when_idle(DUE, id, after)
    end)
  end
end

-- fix_hook adds a hook that is due but missing, or ends the run without it.
local function fix_hook(still)
  local hook = arg()
  local lost_hook = still and not (hook == 'post' and (hooks.finishing or state ~= 'finishing') or hook == 'pre' and (hooks.starting or state ~= 'starting')) and hook
  if lost_hook == 'post' then
    local post = redis.call('HMGET', RUN, 'post', 'postroute', 'postqueue')
    damage('hook', 'post-job hook', post[1] and 'it is due and missing: it waits again' or 'it is due and was lost: the run ends without it', function()
      if post[1] then
        add_post(run, ENDS, post[1], post[2], post[3])
        signal_work(POST_RING) -- the lane may be in its ring, but workers found it empty
      else
        redis.call('HSET', RUN, 'hookerror', 'lost')
        finish(run, now_has('finalstatus') or 'failed', ENDS)
        state = run.state
      end
    end)
  elseif lost_hook == 'pre' then
    damage('hook', 'pre-job hook', 'it is due and was lost: the run fails', function()
      local c = open_run(RUN, id)
      if c then
        c.cancelled = c.cancelled + c.pending + c.delayed
        c.pending, c.delayed, c.holds = 0, 0, 0
        redis.call('HSET', RUN, 'error', 'the pre-job hook was lost')
        finish(c, 'failed', ENDS)
        save_run(c)
        state = c.state
      end
    end)
  end
end

-- fix_claims frees IDs whose task is gone, and makes sure that kept ones are removed in time.
local function fix_claims(still)
  for _ = 1, num() do
    local bucket, digest = num(), arg()
    local score = still and redis.call('ZSCORE', KEYS[bucket], digest)
    if score and tonumber(score) >= FAR then
      damage('orphan', 'claimed ID', 'its task is gone: the ID is free again', function()
        redis.call('ZREM', KEYS[bucket], digest)
      end)
    end
  end
  for _ = 1, num() do
    local bucket, name = num(), arg()
    local kept_until = redis.call('ZRANGEBYSCORE', KEYS[bucket], '-inf', '(' .. FAR, 'WITHSCORES', 'LIMIT', 0, 1)[2]
    if kept_until and not redis.call('ZSCORE', KEPT, name) then
      damage('index', 'kept IDs', 'they would never expire: they are listed again', function()
        redis.call('ZADD', KEPT, kept_until, name)
      end)
    end
  end
end

-- end_empty ends a run that lost its last task: otherwise it would wait for ever.
local function end_empty()
  local counted = ({ running = { 'pending', 'delayed', 'running', 'holds' }, stopping = { 'running' } })[state]
  for _, name in ipairs(counted or {}) do
    if tonumber(now_has(name) or 0) ~= 0 then
      return
    end
  end
  local failed_hold = state == 'running' and now_has('onfailure') == 'hold' and tonumber(now_has('failed') or 0) > 0
  if not counted or failed_hold then
    return
  end
  damage('state', 'run', 'it has no task left and had not ended: it ends', function()
    local c = open_run(RUN, id)
    if c then
      maybe_end(c, ENDS)
      save_run(c)
      state = c.state
    end
  end)
end

-- list_failures makes sure that the run is among those that keep failures if it does.
local function list_failures()
  local newest = redis.call('ZRANGE', DEAD, -1, -1)[1]
  local at = newest and number_of(string.match(newest, '^%d+ (%d+) '))
  if at and not redis.call('ZSCORE', FAILING, id) then
    damage('index', 'failures', 'the run was not among those that keep failures: it is listed again', function()
      redis.call('ZADD', FAILING, at, id)
    end)
  elseif not at and redis.call('ZSCORE', FAILING, id) then
    damage('index', 'failures', 'the run was listed to keep failures, and has none: it is taken off the list', function()
      redis.call('ZREM', FAILING, id)
    end)
  end
end

-- expire makes sure that a finished run is removed in time.
local function expire()
  local left = {}
  for _ = 1, num() do
    left[#left + 1] = KEYS[num()]
  end
  if state == 'succeeded' or state == 'failed' or state == 'stopped' or state == 'skipped' then
    if not redis.call('ZSCORE', HIST, id) then
      damage('index', 'finished run', 'its summary would never expire: it is listed again', function()
        redis.call('ZADD', HIST, now + tonumber(now_has('retention') or 0), id)
      end)
    end
    if #left > 0 and redis.call('EXISTS', unpack(left)) > 0 and not redis.call('ZSCORE', TRASH, id) then
      damage('index', 'finished run', 'what is left of it would never be removed: it is listed again', function()
        redis.call('ZADD', TRASH, now, id)
      end)
    end
  end
end

-- fix_index lists the run in its state, and its job with it if the run is the newest. The job may
-- have changed after its run. If the state was lost, it is clear that the entries are wrong.
local function fix_index()
  local job, changed = now_has('job'), number_of(now_has('changed') or 0)
  if not (job and STATES[state]) then
    return
  end
  if fixed.state or fixed.changed then
    if not dry and newest then
      list_state(INDEX, id, job, state, changed)
    elseif not dry then
      redis.call('ZADD', INDEX, STATES[state] * STEP + changed, id)
    end
    return
  end
  local has = redis.call('ZSCORE', INDEX, id)
  local has_job = tonumber(newest and redis.call('ZSCORE', INDEX, 'j:' .. job) or -1)
  local job_at = (STATES[state] + OF_JOBS) * STEP + changed
  if tonumber(has or -1) ~= STATES[state] * STEP + changed then
    damage('index', 'run', 'it is not listed as it is: it is listed again', function()
      redis.call('ZADD', INDEX, STATES[state] * STEP + changed, id)
    end)
  end
  if newest and (has_job < job_at or has_job >= job_at - changed + STEP) then
    damage('index', 'job', 'it is not listed as its newest run is: it is listed again', function()
      redis.call('ZADD', INDEX, job_at, 'j:' .. job)
    end)
  end
end

local still = unmoved()
fix_fields()
still = read_lanes() and still
fix_counters(still)
state = now_has('state')
run = { key = RUN, id = id, state = state, paused = now_has('paused') }
for _, lane in ipairs(lanes) do
  list_lane(lane)
  if state == lane.state or state == 'starting' then
    promise_delayed(lane)
    give_turns(lane)
  end
end
if state == 'starting' or state == 'running' then
  fix_holds()
end
if state == 'starting' or state == 'running' or state == 'finishing' or state == 'stopping' then
  fix_deadline()
  if redis.call('ZSCORE', TRASH, id) then
    damage('index', 'active run', 'it was listed to be removed: it is taken off the list', function()
      redis.call('ZREM', TRASH, id)
    end)
  end
end
fix_hook(still)
fix_claims(still)
list_failures()
end_empty()
expire()
fix_index()
if not dry and #wrong + #found > 0 then
  redis.call('HSET', RUN, 'litter', 1)
  audit(arg(), arg())
end
publish(channel)
return { still and 'still' or 'moving', wrong, found }
