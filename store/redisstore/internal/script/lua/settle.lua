-- Applies a batch of outcomes of a session, each if its lease is still held.
-- Uses: add, arguments, aside, asked, bury, claims, clock, ends, index, keep_result, ledger, names, numbers, retrying, rings, runs, signals, streams, values.
-- KEYS  1 session, 2 clock, 3 due, 4 hist, 5 trash, 6 routes, 7 kept, 8 failing, 9 index, 10 ledger; then by index:
--       per run: run, lanes, dead letters, stage, waiting list and ring of its post-job lane;
--       per lane: W, D, ring, M; staged lists; buckets of IDs
-- ARGV  channel, number, last fetch and settlement answered, grows (1: children travel along), runs: n, (base, id, rings as in read_rings) × n;
--       per run: routes: r, (route,
--           plain successes: n, and if n > 0: fetches: m, (prefix, suffix, positions: k, position × k, ranges: k, (first, last) × k) × m;
--           counted: n, and if n > 0: sum, (field, counters) × n) × r;
--         special: n, (verdict, field, length, …) × n
--       Counted are successes with counters and no other effects: "name=number name=number …"; sum
--       is that of all n.
--       A special goes on: staged: n, and if n > 0: delivery, (lane, first of two lists, route, queue, count) × n;
--         ids, digest, keep, bucket; then by verdict
--       S counters, result as in keep_result, groups: n, group as in add × n   success with children, a result or a claimed ID
--       W as S, with writes ahead of staged: n, write as in values.lua × n
--       F record, error                            failed
--       C                                          cancelled
--       R lane, route, queue, counted, retried, delay, error, message
--       L lane, route, queue, counted, list, message   released to the front of W, or of U if it is a recovered task
--       Q reason                                   stop the run
--       B lane, route, queue                       pre-job passed
--       K status, reason                           pre-job ended the run: skipped or failed
--       H error, result                            post-job ended
-- Returns {word, reply}: ok and "number lost counted and specials|losses of plain by route|ended runs|refused", where
--       refused is "ordinal:write:word": that write cannot be applied, or "ordinal:children": fewer are staged than the
--       outcome says, and so nothing of the outcome was applied; lost; stale;
--       {again, run, its routes aside}: declare the rings of these routes, too
-- Repeat: the session keeps the last number with its reply; the same number gets it again. HDEL of a
--       lease can also succeed only once. It is the first write, so that the script runs when memory
--       is short; with children, the probe is the first write.
local channel, number, fetched, settled, grows = arg(), num(), num(), num(), num()
local SESSION, KEPT, FAILING, LEDGER = KEYS[1], KEYS[7], KEYS[8], KEYS[10]
local LANES, DEAD, STAGE, POST, POST_RING = 1, 2, 3, 4, 5 -- behind the base of a run
local WAITING, DELAYED, RING, MARKERS = 0, 1, 2, 3 -- behind the base of a lane
local keys = { clock = KEYS[2], due = KEYS[3], hist = KEYS[4], trash = KEYS[5], routes = KEYS[6], index = KEYS[9], exact = true }

local _, record, asked = session_records(SESSION, fetched, settled)
local early = answered(record, number, 'lost')
if early then
  return early
end
if grows == 1 then
  redis.call('HSET', SESSION, 'settle', record)
end

local runs, bases, total = {}, {}, num()
for i = 1, total do
  bases[i] = num()
  runs[i] = open_run(KEYS[bases[i]], arg()) or false
  local aside = read_rings(runs[i])
  if aside then
    return { 'again', i, aside }
  end
end

local lost, losses, ended, refused = {}, {}, {}, {}
local dups = {}

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

-- count adds to counters of a run. Redis adds, because its integers have 64 bits, and those of Lua
-- 53. A sum out of range is refused without an error, because the lease has already ended.
local function count(run, counters)
  for name, number in string.gmatch(counters, '([^= ]+)=(%S+)') do
    redis.pcall('HINCRBY', run.key, 'c:' .. name, number)
  end
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
      add(run, keys, dups)
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
    redis.call('ZADD', KEYS[lane + DELAYED], now + delay, message)
    if redis.call('ZADD', keys.due, 'LT', 'CH', now + delay, run.id .. '/' .. route) == 1 then
      signal('d')
    end
  else
    redis.call('RPUSH', KEYS[lane + WAITING], message)
    enter(KEYS[lane + RING], keys, run, queue)
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
  enter(KEYS[lane + RING], keys, run, queue)
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
  redis.call('SADD', KEYS[base + LANES], route)
  if root[2] then
    local due = number_of(string.match(root[2], '%d+'))
    if string.sub(root[2], 1, 1) == '+' then
      due = now + due
    end
    redis.call('ZADD', KEYS[lane + DELAYED], due, root[1])
    redis.call('ZADD', keys.due, 'LT', due, run.id .. '/' .. route)
    signal('d')
    run.pending, run.delayed = run.pending - 1, run.delayed + 1
  else
    redis.call('RPUSH', KEYS[lane + WAITING], root[1])
    enter(KEYS[lane + RING], keys, run, queue)
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
      return signal('r:' .. run.id) -- it holds the run, until redo_failures repeats or accepts it
    end
  end
  finish(run, redis.call('HGET', run.key, 'finalstatus'), keys)
  run.over = true
end

-- plain_fields reads which fields of the session the plain successes end. Fields of one fetch and
-- lane differ only in the position.
local function plain_fields()
  local fields, next = {}, 1
  for _ = 1, num() do
    local prefix, suffix = arg(), arg()
    for _ = 1, num() do
      fields[next] = prefix .. arg() .. suffix
      next = next + 1
    end
    for _ = 1, num() do
      next = name_positions(fields, next, 1, prefix, num(), num(), suffix)
    end
  end
  return fields
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
    redis.call('RPUSH', KEYS[list.lane + MARKERS], list.marker)
    redis.call('SADD', keys.lanes, list.route)
    enter(KEYS[list.lane + RING], keys, run, list.queue)
  end
end

-- settle_plain settles the plain successes of a run under one route, and returns how many there
-- were. The route is the i-th of the call.
local function settle_plain(i, run)
  local n = num()
  if n == 0 then
    return 0
  end
  local k = redis.call('HDEL', SESSION, unpack(plain_fields()))
  if not run then
    k = 0
  end
  if k < n then
    losses[#losses + 1] = i .. ':' .. (n - k)
  end
  return k
end

local ordinal = 0 -- of the counted and special outcomes of all runs

-- settle_counted settles successes of a run and route with counters and no other effects, and
-- returns how many there were.
local function settle_counted(run)
  local n = num()
  if n == 0 then
    return 0
  end
  local sum, redeemed = arg(), {}
  for _ = 1, n do
    ordinal = ordinal + 1
    local field, counters = arg(), arg()
    if redis.call('HDEL', SESSION, field) == 0 or not run then
      lost[#lost + 1] = ordinal
    else
      redeemed[#redeemed + 1] = counters
    end
  end
  if not run then
    return 0
  end
  local k = #redeemed
  if k == n and sum ~= '' then
    redeemed = { sum }
  end
  for _, counters in ipairs(redeemed) do
    count(run, counters)
  end
  return k
end

local lanes = 0 -- routes of all runs

-- settle_successes settles the successes of a run that have no other effects, route by route.
local function settle_successes(run)
  for _ = 1, num() do
    lanes = lanes + 1
    local route = arg()
    local k = settle_plain(lanes, run) + settle_counted(run)
    if k > 0 then
      run.running = run.running - k
      run.succeeded = run.succeeded + k
      tally('s:', route, k)
    end
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

for i = 1, total do
  local run, base = runs[i], bases[i]
  keys.lanes, keys.post, keys.ring = KEYS[base + LANES], KEYS[base + POST], KEYS[base + POST_RING]
  settle_successes(run)
  for _ = 1, num() do
    settle_special(run, base)
  end
  if run then
    go_on(run, keys)
    if maybe_end(run, keys) or run.over then
      ended[#ended + 1] = i
    end
    save_run(run)
  end
end

forget_asked(SESSION, asked)
record = string.format('%.0f %s|%s|%s|%s', number, table.concat(lost, ','), table.concat(losses, ','), table.concat(ended, ','), table.concat(refused, ','))
redis.call('HSET', SESSION, 'settle', record)
write_ledger(LEDGER, keys.routes)
publish(channel)
return { 'ok', record }
