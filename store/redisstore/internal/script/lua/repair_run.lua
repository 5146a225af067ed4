-- Mends one run: what its record, its lanes, what sessions hold of it and the indexes say of each other.
-- Uses: arguments, clock, ends, rings, runs, signals.
-- KEYS  1 run, 2 clock, 3 due, 4 routes, 5 hist, 6 trash, 7 idle, 8 lanes, 9 holds, 10 and 11 waiting list and ring of the post-job lane, 12 kept;
--       then by index: per lane: W, U, D, M, ring; buckets of IDs; what else is stored of the run
-- ARGV  channel, run, dry run (1); record as it was read: number of its virtual times, n, (name, value) × n;
--       fields: n, (name, value as it was read, new value, '' for none) × n;
--       lanes: n, (base, route, queue, state it needs, lengths of W, U, D and M as they were read) × n;
--       counters: n, (name, new value) × n, detail; kind of the hook that is nowhere, or '';
--       claims: n, (bucket, digest) × n; buckets: n, (index, name) × n; leftovers: n, index × n
-- Returns {missing, still or moving, {positions, from 1, of the fields …}, {kind, what, detail …}}: what was mended, or would be
-- What was counted holds if record and lanes are as they were read: no task can have left and come back, as
--       every fetch changes a virtual time. Only then counters, hook and claims are mended; what the script sees for itself, always.
-- Repeat: absolute. HDEL goes first so that it passes when memory is short.
local channel, id, dry = arg(), arg(), num() == 1
local key, clock, due, routes, hist, trash, idle, listed, holds = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9]
if redis.call('TYPE', key).ok ~= 'hash' then
  return { 'missing', {}, {} }
end
local wrong, found = {}, {}
local function damage(kind, what, detail, mend)
  local n = #found
  found[n + 1], found[n + 2], found[n + 3] = kind, what, detail
  if not dry then
    mend()
  end
end

-- now_has reads a field as it will be once the damaged ones are mended.
local mended = {}
local function now_has(name)
  local value = mended[name] or redis.call('HGET', key, name) or ''
  return value ~= '' and value
end

local times, still = num(), true
for _, name in ipairs(redis.call('HKEYS', key)) do
  if string.sub(name, 1, 2) == 'v:' then
    times = times - 1
  end
end
still = times == 0
for _ = 1, num() do
  local name, value = arg(), arg()
  if (redis.call('HGET', key, name) or '') ~= value then
    still = false
  end
end

if not dry then
  redis.call('HDEL', key, '')
end
for i = 1, num() do
  local name, seen, new = arg(), arg(), arg()
  if (redis.call('HGET', key, name) or '') == seen then
    wrong[#wrong + 1] = i
    mended[name] = new
    if dry then
    elseif new == '' then
      redis.call('HDEL', key, name)
    else
      redis.call('HSET', key, name, new)
    end
  end
end

local function length(command, list)
  local n = redis.pcall(command, list)
  return type(n) == 'number' and n or 0
end
local lanes, hooks = {}, {}
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

local set, detail = {}, nil
for _ = 1, num() do
  set[#set + 1] = arg()
  set[#set + 1] = arg()
end
detail = arg()
if still and #set > 0 then
  for i = 1, #set, 2 do
    mended[set[i]] = set[i + 1]
  end
  damage('counts', 'counters', detail, function()
    redis.call('HSET', key, unpack(set))
    signal('r:' .. id)
  end)
end

local state = now_has('state')
local active = state == 'starting' or state == 'running' or state == 'finishing'
local run = { key = key, id = id, state = state, paused = now_has('paused') }
for _, lane in ipairs(lanes) do
  local name = id .. '/' .. lane.route
  if lane.work + lane.delayed > 0 then
    for set_of, text in pairs({ [listed] = 'the run', [routes] = 'the partition' }) do
      if (set_of == listed or lane.state == 'running') and redis.call('SISMEMBER', set_of, lane.route) == 0 then
        damage('index', 'lane ' .. lane.route, text .. ' does not list it: it is listed again', function()
          redis.call('SADD', set_of, lane.route)
        end)
      end
    end
  end
  if state == lane.state or state == 'starting' then
    if lane.delayed > 0 then
      local earliest = redis.call('ZRANGE', KEYS[lane.base + 2], 0, 0, 'WITHSCORES')[2]
      local noted = redis.call('ZSCORE', due, name)
      if not noted or tonumber(noted) > tonumber(earliest) then
        damage('index', 'lane ' .. lane.route, 'it has delayed tasks and would not be looked at in time: it will', function()
          redis.call('ZADD', due, earliest, name)
          signal('d')
        end)
      end
    end
    local at_clock = redis.call('HGET', clock, lane.queue)
    if at_clock and not tonumber(at_clock) then
      damage('record', 'clock of queue ' .. lane.queue, 'it is not a number: it begins again', function()
        redis.call('HDEL', clock, lane.queue)
      end)
    end
    -- A lane stands aside by right while a lease of its run can let it go on.
    local turn = redis.call('ZSCORE', KEYS[lane.base + 4], id)
    local aside = ' ' .. (redis.call('HGET', key, 'aside') or '') .. ' '
    local stuck = turn == 'inf' and state == 'running' and
      (tonumber(now_has('running') or 0) == 0 or not string.find(aside, ' ' .. lane.route .. ' ', 1, true))
    if lane.work > 0 and not run.paused and (not turn or stuck) then
      damage('index', 'lane ' .. lane.route, 'it has work and no turns: it enters the ring', function()
        redis.call('ZREM', KEYS[lane.base + 4], id)
        enter(KEYS[lane.base + 4], clock, run, lane.queue)
      end)
    end
  end
end

if state == 'starting' or state == 'running' then
  local held = redis.call('HLEN', holds)
  if tonumber(now_has('holds') or 0) ~= held then
    mended.holds = held
    damage('counts', 'holds', string.format('the counter says %s, there are %d', redis.call('HGET', key, 'holds') or 0, held), function()
      redis.call('HSET', key, 'holds', held)
    end)
  end
  local after = tonumber(now_has('sealafter') or nil)
  if after and redis.call('HEXISTS', holds, 'open') == 1 and not redis.call('ZSCORE', idle, id) then
    damage('index', 'open run', 'nobody would seal it when it is idle: somebody will', function()
      redis.call('ZADD', idle, now + after, id)
    end)
  end
end
if active or state == 'stopping' then
  if redis.call('ZSCORE', trash, id) then
    damage('index', 'active run', 'it is listed to be purged: it is not to be', function()
      redis.call('ZREM', trash, id)
    end)
  end
end

local hook = arg()
local lost_hook = still and not (hook == 'post' and (hooks.finishing or state ~= 'finishing') or hook == 'pre' and (hooks.starting or state ~= 'starting')) and hook
if lost_hook == 'post' then
  local post = redis.call('HMGET', key, 'post', 'postroute', 'postqueue')
  damage('hook', 'post-job hook', post[1] and 'it is due and nowhere: it waits again' or 'it is due and was lost: the run ends without it', function()
    if post[1] then
      redis.call('SADD', listed, post[2])
      redis.call('RPUSH', KEYS[10], post[1])
      enter(KEYS[11], clock, run, post[3])
    else
      redis.call('HSET', key, 'hookerror', 'lost')
      finish(run, now_has('outcome') or 'failed', { hist = hist, trash = trash })
      state = run.state
    end
  end)
elseif lost_hook == 'pre' then
  damage('hook', 'pre-job hook', 'it is due and was lost: the run fails', function()
    local c = open_run(key, id)
    if c then
      c.cancelled = c.cancelled + c.pending + c.delayed
      c.pending, c.delayed, c.holds = 0, 0, 0
      redis.call('HSET', key, 'error', 'the pre-job hook was lost')
      finish(c, 'failed', { hist = hist, trash = trash })
      save_run(c)
      state = c.state
    end
  end)
end

for _ = 1, num() do
  local bucket, digest = num(), arg()
  local score = still and redis.call('ZSCORE', KEYS[bucket], digest)
  if score and tonumber(score) == FAR then
    damage('orphan', 'claimed ID', 'its task is gone: the ID is free again', function()
      redis.call('ZREM', KEYS[bucket], digest)
    end)
  end
end
for _ = 1, num() do
  local bucket, name = num(), arg()
  local kept_until = redis.call('ZRANGEBYSCORE', KEYS[bucket], '-inf', '(' .. FAR, 'WITHSCORES', 'LIMIT', 0, 1)[2]
  if kept_until and not redis.call('ZSCORE', KEYS[12], name) then
    damage('index', 'kept IDs', 'nobody would forget them in time: somebody will', function()
      redis.call('ZADD', KEYS[12], kept_until, name)
    end)
  end
end

-- A run whose last task was lost must not wait for ever.
local ends = false
if state == 'running' or state == 'stopping' then
  local left = 0
  for _, name in ipairs(state == 'running' and { 'pending', 'delayed', 'running', 'holds' } or { 'running' }) do
    left = left + math.abs(tonumber(now_has(name) or 0) or 1)
  end
  ends = left == 0
end
if ends then
  damage('state', 'run', 'nothing is left of it and it has not ended: it ends', function()
    local c = open_run(key, id)
    if c then
      maybe_end(c, { hist = hist, trash = trash, clock = clock, lanes = listed, post = KEYS[10], ring = KEYS[11] })
      save_run(c)
      state = c.state
    end
  end)
end

local left = {}
for _ = 1, num() do
  left[#left + 1] = KEYS[num()]
end
if state == 'succeeded' or state == 'failed' or state == 'stopped' or state == 'skipped' then
  if not redis.call('ZSCORE', hist, id) then
    damage('index', 'finished run', 'its summary would never expire: it will', function()
      redis.call('ZADD', hist, now + tonumber(now_has('retention') or 0), id)
    end)
  end
  if #left > 0 and redis.call('EXISTS', unpack(left)) > 0 and not redis.call('ZSCORE', trash, id) then
    damage('index', 'finished run', 'nobody would remove what is left of it: somebody will', function()
      redis.call('ZADD', trash, now, id)
    end)
  end
end
if not dry and #wrong + #found > 0 then
  redis.call('HSET', key, 'litter', 1)
end
publish(channel)
return { still and 'still' or 'moving', wrong, found }
