-- Adds a batch of tasks to runs, and opens and closes holds.
-- Uses: add, arguments, audit, clock, ends, idle, ledger, numbers, runs, signals, streams.
-- KEYS  1 producer record, 2 clock, 3 due, 4 routes, 5 hist, 6 trash, 7 index, 8 ledger; then by index:
--       per run: run, lanes, holds, waiting list and ring of its post-job lane; per lane: W, D, ring, M; buckets of IDs; last, if there is a line: audit
-- ARGV  channel, number, ttl, line of the audit and its run; runs: n, (base, id) × n; guards: n, (run, name, mark) × n; opens: n, (run, name, mark) × n;
--       groups: n, (run, length, group as in add) × n; closes: n, (run, name) × n
-- Returns {word, record}: ok and the reply, for a repeat the same one;
--       unknown (no such producer), stale (a lower number)
-- Repeat: the record has the last number with its reply; the same number gets it again.
local PRODUCER, LEDGER = KEYS[1], KEYS[8]
local channel, number, ttl, line, audited = arg(), num(), arg(), arg(), arg()
local keys = { clock = KEYS[2], due = KEYS[3], routes = KEYS[4], hist = KEYS[5], trash = KEYS[6], index = KEYS[7], exact = true }

local record = redis.call('GET', PRODUCER)
local early = answered(record, number, 'unknown')
if early then
  redis.call('PEXPIRE', PRODUCER, ttl)
  return early
end

local runs, words = {}, {}
for i = 1, num() do
  local base, id = num(), arg()
  local run = open_run(KEYS[base], id)
  if not run then
    words[i] = 'missing'
  elseif run.state == 'running' or run.state == 'starting' then
    words[i] = 'ok'
    run.base, run.before = base, run.total
    runs[i] = run
  elseif run.state == 'stopping' or run.state == 'stopped' then
    words[i] = 'stopped'
  else
    words[i] = 'finished'
  end
end

-- A hold is "since mark", or "since" without a mark. If a hold differs from its guard, nothing is
-- applied to the run.
for _ = 1, num() do
  local i, name, mark = num(), arg(), arg()
  local held = runs[i] and redis.call('HGET', KEYS[runs[i].base + 2], name)
  if runs[i] and (not held or string.match(held, '^%d+ ?(.*)$') ~= mark) then
    runs[i], words[i] = nil, 'moved'
  end
end

for _ = 1, num() do
  local run, name, mark = runs[num()], arg(), arg()
  if run then
    local key = KEYS[run.base + 2]
    if redis.call('HSETNX', key, name, now) == 1 then
      run.holds = run.holds + 1
      run.opened = run.opened or name == 'open'
    end
    if mark ~= '' then
      redis.call('HSET', key, name, string.match(redis.call('HGET', key, name), '^%d*') .. ' ' .. mark)
    end
  end
end

local dups = {}
for _ = 1, num() do
  local run, length = runs[num()], num()
  if run then
    keys.lanes = KEYS[run.base + 1]
    add(run, keys, dups)
    run.touched = true
  else
    local stop = cursor + length
    -- Positions of duplicates also count refused groups.
    local n = tonumber(ARGV[cursor + 5])
    specials = specials + tonumber(ARGV[cursor + 6 + n])
    cursor = stop
  end
end

for _ = 1, num() do
  local run, name = runs[num()], arg()
  if run and redis.call('HDEL', KEYS[run.base + 2], name) == 1 then
    run.holds = run.holds - 1
    run.closed = true
    if name == 'open' then
      run.opened = false
      redis.call('ZREM', keys.due, 'i:' .. run.id)
    end
  end
end

local changed = false
for _, run in pairs(runs) do
  -- A call with a line is about one run.
  changed = changed or run.closed or run.total ~= run.before
  if run.closed then
    keys.lanes, keys.post, keys.ring = KEYS[run.base + 1], KEYS[run.base + 3], KEYS[run.base + 4]
    maybe_end(run, keys)
  end
  if run.sealafter and run.opened then
    end_when_idle(keys.due, run.id, run.sealafter)
  elseif run.sealafter and run.touched then
    redis.call('ZADD', keys.due, 'XX', now + number_of(run.sealafter), 'i:' .. run.id)
  end
  save_run(run)
end
write_ledger(LEDGER, keys.routes)
record = string.format('%.0f %s|%s', number, table.concat(words, ','), table.concat(dups, ','))
redis.call('SET', PRODUCER, record, 'PX', ttl)
if changed then
  audit(line, audited)
end
publish(channel)
return { 'ok', record }
