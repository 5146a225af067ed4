-- Applies a batch of outcomes of a session, each if its lease is still held.
-- Uses: arguments, aside, asked, ledger, names, runs, signals, streams.
-- KEYS  1 session, 2 clock, 3 due, 4 hist, 5 trash, 6 routes, 7 kept, 8 failing, 9 index, 10 ledger; then by index:
--       per run: run, lanes, dead letters, stage, waiting list and ring of its post-job lane;
--       per lane: W, ring, D, M; staged lists; buckets of IDs; times
-- ARGV  channel, number, last fetch and settlement answered, grows (1: children travel along), runs: n, (base, id, rings as in read_rings) × n;
--       per run: routes: r, (route,
--           plain successes: n, and if n > 0: fetches: m, (prefix, suffix, positions: k, position × k, ranges: k, (first, last) × k) × m;
--           counted: n, and if n > 0: sum, (field, counters) × n) × r;
--         special: n, (verdict, field, length, …) × n;
--       then, if there are histograms: times, n, (field, number) × n
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
-- Returns {word, reply}: ok and "number lost counted and specials|losses of plain by route|ended and held runs|refused", where
--       refused is "ordinal:write:word": that write cannot be applied, or "ordinal:children": fewer are staged than the
--       outcome says, and so nothing of the outcome was applied; lost; stale;
--       {again, run, its routes aside}: declare the rings of these routes, too
-- Repeat: the session keeps the last number with its reply; the same number gets it again. HDEL of a
--       lease can also succeed only once. It is the first write, so that the script runs when memory
--       is short; with children, the probe is the first write.
local channel, number, fetched, settled, grows = arg(), num(), num(), num(), num()
local SESSION, LEDGER = KEYS[1], KEYS[10]
local LANES, POST, POST_RING = 1, 4, 5 -- behind the base of a run
local keys = {
  clock = KEYS[2], due = KEYS[3], hist = KEYS[4], trash = KEYS[5], routes = KEYS[6], index = KEYS[9], exact = true,
  lanes = '', post = '', ring = '',
}

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

-- count adds to counters of a run. Redis adds, because its integers have 64 bits, and those of Lua
-- 53. A sum out of range is refused without an error, because the lease has already ended.
local function count(run, counters)
  for name, number in string.gmatch(counters, '([^= ]+)=(%S+)') do
    redis.pcall('HINCRBY', run.key, 'c:' .. name, number)
  end
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

-- Most calls end no run, and have only plain successes. So what ends runs, and what settles others,
-- is made when it is needed.
local function with_ends()
  -- Here: ends.
  local function with_special()
    -- Here: special.
    return settle_special
  end
  return maybe_end, with_special
end

local end_run, with_special, special
for i = 1, total do
  local run, base = runs[i], bases[i]
  keys.lanes, keys.post, keys.ring = KEYS[base + LANES], KEYS[base + POST], KEYS[base + POST_RING]
  local running = run and run.running
  settle_successes(run)
  local others = num()
  if not end_run and (others > 0 or run and is_over(run)) then
    end_run, with_special = with_ends()
  end
  if not special and others > 0 then
    special = with_special()
  end
  for _ = 1, others do
    special(run, base)
  end
  if run then
    go_on(run, keys)
    local ends, held
    if end_run then
      ends, held = end_run(run, keys)
    end
    if ends or run.over or held and run.running ~= running then
      ended[#ended + 1] = i
    end
    save_run(run)
  end
end

if cursor < #ARGV then
  local times = KEYS[num()]
  for _ = 1, num() do
    redis.pcall('HINCRBY', times, arg(), arg()) -- what is damaged is left out
  end
end
forget_asked(SESSION, asked)
local function list(all) return table.concat(all, ',') end
record = ARGV[2] .. ' ' .. list(lost) .. '|' .. list(losses) .. '|' .. list(ended) .. '|' .. list(refused)
redis.call('HSET', SESSION, 'settle', record)
write_ledger(LEDGER, keys.routes)
publish(channel)
return { 'ok', record }
