-- Adds a batch of tasks to runs, and opens and closes holds.
-- Uses: add, arguments, clock, ledger, numbers, runs, signals, streams.
-- KEYS  1 producer record, 2 clock, 3 due, 4 routes, 5 ledger; with more: 6 hist, 7 trash, 8 index; then by index:
--       per run: run, lanes, with more: holds, waiting list and ring of its post-job lane; per lane as in add; buckets of IDs;
--       last, if there is a line: audit
-- ARGV  channel, number, ttl, more (1), with more: line of the audit and its run;
--       runs: n, (base, id, with more: guards: n, (name, mark) × n, opens: n, (name, mark) × n, closes: n, name × n;
--         groups: n, (length, group as in add) × n) × n
-- Returns {word, record}: ok and the reply, for a repeat the same one;
--       unknown (no such producer), stale (a lower number)
-- Repeat: the record has the last number with its reply; the same number gets it again.
local PRODUCER, LEDGER = KEYS[1], KEYS[5]
local channel, number, ttl, more = arg(), num(), arg(), num() == 1
local keys = { clock = KEYS[2], due = KEYS[3], routes = KEYS[4], lanes = '' }

local record = redis.call('GET', PRODUCER)
local early = answered(record, number, 'unknown')
if early then
  redis.call('PEXPIRE', PRODUCER, ttl)
  return early
end

-- with_more makes the functions for holds and the audit, which most calls do not need.
local function with_more()
  -- Here: holds.
  return open_holds, close_holds, audit_change
end
local open, close, written
if more then
  open, close, written = with_more()
end

-- refusal says why a run takes no tasks, if it takes none.
local function refusal(run)
  if not run then
    return 'missing'
  elseif run.state == 'running' or run.state == 'starting' then
    return nil
  end
  return (run.state == 'stopping' or run.state == 'stopped') and 'stopped' or 'finished'
end

local words, dups = '', {}
for i = 1, num() do
  local base, id = num(), arg()
  local run, moved, closes = open_run(KEYS[base], id)
  local word = refusal(run)
  if more then
    moved, closes = open(not word and run, KEYS[base + 2])
    word = word or moved and 'moved'
  end
  local groups, before = num(), run and run.total
  keys.lanes = KEYS[base + 1]
  for _ = 1, groups do
    local length = num()
    if word then
      skip(length)
    else
      add(run, keys, dups)
    end
  end
  if not word then
    if more then
      close(run, base, closes, before)
    end
    if run.sealafter and groups > 0 and not run.opened then
      redis.call('ZADD', keys.due, 'XX', now + number_of(run.sealafter), 'i:' .. run.id)
    end
    save_run(run)
  end
  words = (i > 1 and words .. ',' or '') .. (word or 'ok')
end
write_ledger(LEDGER, keys.routes)
record = ARGV[2] .. ' ' .. words .. '|' .. table.concat(dups, ',')
redis.call('SET', PRODUCER, record, 'PX', ttl)
if more then
  written()
end
publish(channel)
return { 'ok', record }
