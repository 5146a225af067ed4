-- Uses: add, arguments, aside, asked, bury, claims, clock, ends, index, keep_result, large, ledger, numbers, retrying, rings, signals, values.
-- Settles outcomes that are not plain successes: the specials of settle.lua, whose keys and lists
-- this uses.
local KEPT, FAILING = KEYS[7], KEYS[8]
local DEAD, STAGE = 2, 3 -- behind the base of a run
local OF_RING, OF_DELAYED, OF_MARKERS = 1, 2, 3 -- behind the waiting list of a lane

local function dead_letter(run, base, text, err)
  run.failed = run.failed + 1
  run.running = run.running - 1
  bury(run, KEYS[base + DEAD], FAILING, text, err)
end

local function cancel(run)
  run.running = run.running - 1
  run.cancelled = run.cancelled + 1
end

local function stop(run, reason)
  run.cancelled = run.cancelled + run.pending + run.delayed
  run.pending, run.delayed, run.holds = 0, 0, 0
  change_state(run, keys.index, 'stopping', nil, 'reason', reason)
  signal('r:' .. run.id)
end

-- If the run ended meanwhile, its hook must not leave a task behind.
local function waits_for_hook(run)
  return run.state == 'starting' or run.state == 'finishing'
end

local verdicts = {}

function verdicts.S(run, _, of)
  tally('s:', of, 1)
  run.running = run.running - 1
  run.succeeded = run.succeeded + 1
  count(run, arg())
  keep_result()
  local groups = num()
  if run.state == 'running' then
    for _ = 1, groups do
      add(run, keys, {})
    end
  end
end

function verdicts.F(run, base, of)
  tally('f:', of, 1)
  dead_letter(run, base, arg(), arg())
end

function verdicts.C(run, _, of)
  tally('o:', of, 1)
  cancel(run)
end

function verdicts.R(run, base)
  local lane, route, queue, counted, retried, delay, err, message = num(), arg(), arg(), num(), num(), num(), arg(), arg()
  if counted == 1 then
    if run.state ~= 'running' then
      return verdicts.C(run, base, route)
    end
    tally(retried == 1 and 'r:' or 'o:', route, 1)
    run.running = run.running - 1
    run.retried = run.retried + retried
    if delay > 0 then
      run.delayed = run.delayed + 1
      note_retrying(run, route, { message }, 1)
    else
      run.pending = run.pending + 1
    end
  elseif not waits_for_hook(run) then
    return
  end
  if retried == 1 then
    redis.call('HSET', run.key, 'retryerror', err)
  end
  if delay > 0 then
    redis.call('ZADD', KEYS[lane + OF_DELAYED], now + delay, message)
    if redis.call('ZADD', keys.due, 'LT', 'CH', now + delay, run.id .. '/' .. route) == 1 then
      signal('d')
    end
  else
    redis.call('RPUSH', KEYS[lane], message)
    note_pushed(run, route, { message }, 1, 1)
    enter(KEYS[lane + OF_RING], keys, run, queue)
  end
end

function verdicts.L(run)
  local lane, _, queue, counted, list, message = num(), arg(), arg(), num(), num(), arg()
  if counted == 1 then
    if run.state ~= 'running' then
      return cancel(run)
    end
    run.running = run.running - 1
    run.pending = run.pending + 1
  elseif not waits_for_hook(run) then
    return
  end
  redis.call('LPUSH', KEYS[list], message)
  enter(KEYS[lane + OF_RING], keys, run, queue)
end

function verdicts.Q(run, _, of)
  verdicts.C(run, nil, of)
  if run.state == 'running' then
    stop(run, arg())
  end
end

function verdicts.B(run, base)
  if run.state ~= 'starting' then
    return
  end
  local lane, route, queue = num(), arg(), arg()
  change_state(run, keys.index, 'running')
  signal('r:' .. run.id)
  run.let = true
  local root = redis.call('HMGET', run.key, 'root', 'rootwhen')
  if not root[1] then
    return
  end
  redis.call('HDEL', run.key, 'root', 'rootwhen')
  redis.call('SADD', keys.lanes, route)
  if root[2] then
    local due = number_of(string.match(root[2], '%d+'))
    if string.sub(root[2], 1, 1) == '+' then
      due = now + due
    end
    redis.call('ZADD', KEYS[lane + OF_DELAYED], due, root[1])
    redis.call('ZADD', keys.due, 'LT', due, run.id .. '/' .. route)
    signal('d')
    run.pending, run.delayed = run.pending - 1, run.delayed + 1
  else
    redis.call('RPUSH', KEYS[lane], root[1])
    note_pushed(run, route, root, 1, 1)
    enter(KEYS[lane + OF_RING], keys, run, queue)
  end
end

function verdicts.K(run)
  if run.state ~= 'starting' then
    return
  end
  local status, reason = arg(), arg()
  run.cancelled = run.cancelled + run.pending + run.delayed
  run.pending, run.delayed, run.holds = 0, 0, 0
  redis.call('HSET', run.key, status == 'failed' and 'error' or 'reason', reason)
  finish(run, status, keys)
  run.over = true
end

function verdicts.H(run)
  if run.state ~= 'finishing' then
    return
  end
  local err, result = arg(), arg()
  if result ~= '' then
    redis.call('HSET', run.key, 'result', result)
  end
  if err ~= '' then
    redis.call('HSET', run.key, 'hookerror', err)
    if redis.call('HGET', run.key, 'onfailure') then
      redis.call('HSET', run.key, 'signalled', now)
      run.over = true -- it is held, until redo_failures repeats or accepts it
      return signal('r:' .. run.id)
    end
  end
  finish(run, redis.call('HGET', run.key, 'finalstatus'), keys)
  run.over = true
end

-- Staged children become visible with a success if the run goes on. Otherwise they are removed.
local function visible(verdict, run)
  return verdict == 'S' and run and run.state == 'running'
end

-- next_staged reads what a delivery has staged: for each route a list of plain children and one of
-- others. It measures the lists, and returns whether all children are there.
local NONE = {}
local function next_staged()
  local n = num()
  if n == 0 then
    return NONE, true
  end
  local delivery, lists, complete = arg(), {}, true
  for _ = 1, n do
    local lane, key, route, queue, missing = num(), num(), arg(), arg(), num()
    for i, letter in ipairs({ 'p', 'x' }) do
      local length = tonumber(redis.pcall('LLEN', KEYS[key + i - 1])) or 0 -- a list of a wrong type has no children
      lists[#lists + 1] = { lane = lane, key = KEYS[key + i - 1], marker = letter .. delivery, route = route, queue = queue, length = length }
      missing = missing - length
    end
    complete = complete and missing == 0
  end
  return lists, complete
end

local function settle_staged(run, base, list, seen)
  redis.call('HDEL', KEYS[base + STAGE], list.marker .. '/' .. list.route)
  if not seen then
    redis.call('UNLINK', list.key)
    return
  end
  tally('e:', list.route, list.length)
  run.total = run.total + list.length
  run.pending = run.pending + list.length
  if list.length > 0 then
    redis.call('RPUSH', KEYS[list.lane + OF_MARKERS], list.marker)
    redis.call('SADD', keys.lanes, list.route)
    enter(KEYS[list.lane + OF_RING], keys, run, list.queue)
  end
end

-- settle_id keeps a claimed ID for its time after the task has ended.
local function settle_id(verdict)
  local ids, digest, keep, bucket = num(), arg(), num(), arg()
  if ids == 0 or not (verdict == 'S' or verdict == 'F' or verdict == 'C' or verdict == 'Q') then
    return
  end
  end_claim(KEYS[ids], KEPT, digest, keep, bucket)
end

-- settle_special settles one outcome of any other kind: all of it, or nothing.
local function settle_special(run, base)
  ordinal = ordinal + 1
  local verdict, field, length = arg(), arg(), num()
  local next = cursor + length
  local writes, bad
  local begun = verdict ~= 'L'
  if verdict == 'W' then
    verdict = 'S'
    writes, bad = next_writes()
  elseif (verdict == 'R' or verdict == 'L') and is_asked(asked, field) then
    verdict = 'C'
  end
  local staged, complete = next_staged()
  if not complete and visible(verdict, run) then
    bad = bad or 'children'
  end
  if bad and run and redis.call('HEXISTS', SESSION, field) == 1 then
    refused[#refused + 1] = ordinal .. ':' .. bad
  elseif redis.call('HDEL', SESSION, field) == 0 or not run then
    lost[#lost + 1] = ordinal
  else
    for _, w in ipairs(writes or {}) do
      write(w)
    end
    untally(run, field)
    for _, list in ipairs(staged) do
      settle_staged(run, base, list, visible(verdict, run))
    end
    settle_id(verdict)
    local of = string.match(field, '^[^/]*/(.*)$')
    verdicts[verdict](run, base, of)
    if verdict == 'C' and not begun then
      tally('o:', of, -1) -- it was no attempt
    end
  end
  cursor = next
end
