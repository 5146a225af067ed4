-- Uses: clock, numbers, signals.
-- A run's counters are read once, changed in a table and written once.
local COUNTERS = { 'total', 'pending', 'delayed', 'running', 'succeeded', 'failed', 'cancelled', 'retried', 'duplicates', 'holds' }
local SIGNAL_EVERY = 250 -- ms between two signals about the counts of one run; bounds.SignalEvery

local function open_run(key, id)
  local v = redis.pcall('HMGET', key, 'state', 'paused', 'signalled', 'maxlen', 'sealafter', unpack(COUNTERS))
  if v.err or not v[1] then
    return nil -- gone or damaged: other runs are not affected
  end
  local run = {
    key = key, id = id, state = v[1], paused = v[2] and true or false, signalled = number_of(v[3]),
    longest = number_of(v[4]), -- longest message of its lanes: fetch and promote use it to limit what they read
    sealafter = v[5], was = {},
  }
  for i, name in ipairs(COUNTERS) do
    local n = tonumber(v[i + 5] or 0)
    if not n or n - n ~= 0 then
      return nil
    end
    run[name] = n
    run.was[i] = n
  end
  return run
end

local function save_run(run)
  local set = {}
  for i, name in ipairs(COUNTERS) do
    if run[name] ~= run.was[i] then
      set[#set + 1] = name
      set[#set + 1] = run[name]
    end
  end
  if #set == 0 then
    return
  end
  -- A change that may be the last one for a while is signalled at once.
  if now - run.signalled >= SIGNAL_EVERY or now < run.signalled or run.pending + run.running == 0 then
    set[#set + 1] = 'signalled'
    set[#set + 1] = now
    signal('r:' .. run.id)
  end
  redis.call('HSET', run.key, unpack(set))
end
