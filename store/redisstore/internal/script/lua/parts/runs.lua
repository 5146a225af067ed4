-- Uses: clock, numbers, signals.
-- A run's counters are read once, changed in a table and written once. The table is made with all of
-- its fields, and what is read is kept to compare: a table that grows costs more than a command.
-- Redis searches a small hash from the front, so begin_run puts these fields first.
local COUNTERS, BEFORE = { 'total', 'pending', 'delayed', 'running', 'succeeded', 'failed', 'cancelled', 'retried', 'duplicates', 'holds' }, 5
local SIGNAL_EVERY = 250 -- ms between two signals about the counts of one run; bounds.SignalEvery

local function open_run(key, id)
  local v = redis.pcall('HMGET', key, 'state', 'signalled', 'maxlen', 'paused', 'sealafter', unpack(COUNTERS))
  if v.err or not v[1] then
    return nil -- gone or damaged: other runs are not affected
  end
  local run = {
    key = key, id = id, state = v[1], signalled = number_of(v[2]), paused = v[4] and true or false,
    longest = number_of(v[3]), -- longest message of its lanes: fetch and promote use it to limit what they read
    sealafter = v[5], was = v, total = 0, pending = 0, delayed = 0, running = 0, succeeded = 0, failed = 0, cancelled = 0,
    retried = 0, duplicates = 0, holds = 0,
  }
  for i = 1, #COUNTERS do
    local n = v[i + BEFORE] or '0'
    n = n == '0' and 0 or tonumber(n) -- most are 0
    if not n or n - n ~= 0 then
      return nil
    end
    run[COUNTERS[i]], v[i + BEFORE] = n, n
  end
  return run
end

-- is_over reports whether a run has ended, or is to end: it has no task and no hold, or is not
-- running.
local function is_over(run)
  return run.state ~= 'running' or run.pending + run.delayed + run.running + run.holds == 0
end

local function save_run(run)
  local set, n = {}, 0
  for i = 1, #COUNTERS do
    local name = COUNTERS[i]
    local value = run[name]
    if value ~= run.was[i + BEFORE] then
      set[n + 1], set[n + 2] = name, value
      n = n + 2
    end
  end
  if n == 0 then
    return
  end
  -- A change that may be the last one for a while is signalled at once.
  if now - run.signalled >= SIGNAL_EVERY or now < run.signalled or run.pending + run.running == 0 then
    set[n + 1], set[n + 2] = 'signalled', now
    signal('r:' .. run.id)
  end
  redis.call('HSET', run.key, unpack(set))
end
