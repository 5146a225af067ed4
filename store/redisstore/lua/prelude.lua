-- Shared by every script that changes a run; it is put in front of their text.
-- It reads ARGV as a stream, knows the store's clock, and holds the three
-- transitions that several scripts share: a task joins a lane, a run enters a
-- ring, a run ends.

-- Each key has one type, and no call leaves another there. What stands in an index of a wrong type was put there by a hand,
-- and would end a script half-way, and with it the work of others. So the first command that meets it removes it, and goes on
-- as if nothing had been there; a repair puts back what can be known. A record of one thing is left as it is: a script
-- about many reads it by pcall, any other ends with an error about that thing.
local RECORDS = { run = true, job = true, value = true, sem = true, limit = true, configuration = true, configured = true }
local server = redis
local redis = { pcall = server.pcall }
function redis.call(command, key, ...)
  local reply = server.pcall(command, key, ...)
  if type(reply) == 'table' and reply.err then
    if string.find(reply.err, 'WRONGTYPE', 1, true) and not RECORDS[string.match(key, '}:(%a+)')] then
      server.log(server.LOG_WARNING, 'rollcall: removed a key of a wrong type: ' .. key)
      server.call('UNLINK', key)
    end
    return server.call(command, key, ...) -- fails again, with the error as the server words it, unless that was it
  end
  return reply
end

-- number_of reads a stored number. What is none, or is out of all bounds, is damage and counts as 0.
local function number_of(v)
  local n = tonumber(v or 0)
  if n and n > -9007199254740992 and n < 9007199254740992 then
    return n
  end
  return 0
end

-- add_to adds to a stored number; one that is damaged begins anew.
local function add_to(key, field, n)
  if type(redis.pcall('HINCRBY', key, field, n)) ~= 'number' then
    redis.call('HSET', key, field, n)
  end
end

local at = 0
local function arg()
  at = at + 1
  return ARGV[at]
end
local function num()
  at = at + 1
  return tonumber(ARGV[at])
end

-- name_positions puts prefix .. i .. suffix into a table for each whole i from first, 0 or more, to last: at index at, and
-- at every step-th behind it. It returns the next index. It is most of what Lua does for a task: so numbers, which
-- Lua formats by printf, are spelled once in ten.
local DIGITS = { [0] = '0', '1', '2', '3', '4', '5', '6', '7', '8', '9' }
local function name_positions(names, at, step, prefix, first, last, suffix)
  local ones = first % 10
  for i = first - ones, last, 10 do
    local tens = prefix
    if i > 0 then
      tens = prefix .. i / 10
    end
    for digit = ones, math.min(9, last - i) do
      names[at] = tens .. DIGITS[digit] .. suffix
      at = at + step
    end
    ones = 0
  end
  return at
end

-- page reads up to limit items that have bytes in all, or one that has more: by read(how many there are, how many to read).
-- longest is what one may have; where that is not known, it goes by those that it has read, few at a time.
local PAGE_BYTES = 1048576
local function page(limit, bytes, longest, read)
  local items, size, most = {}, 0, longest or bytes
  while #items < limit and size < bytes do
    local n = math.max(1, math.min(limit - #items, math.floor((bytes - size) / most), longest and limit or 4))
    if #items == 0 and not longest then
      most = 1
    end
    local more = read(#items, n)
    for _, item in ipairs(more) do
      most = math.max(most, #item)
      if size > 0 and size + #item > bytes then
        return items, bytes
      end
      items[#items + 1] = item
      size = size + #item
    end
    if #more < n then
      break
    end
  end
  return items, size
end

local time = server.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- answered says what a call of a stream gets instead of being done, by the stream's record, 'NUMBER reply': lost if
-- there is none, the reply again if the call is the last one, stale if it is older; nil if the call is new.
local function answered(record, number, lost)
  local last = record and tonumber(string.match(record, '^%d+'))
  if not last then
    return { lost }
  elseif number == last then
    return { 'ok', record }
  elseif number < last then
    return { 'stale' }
  end
end

-- session_records reads the last fetch of a session, 'NUMBER …', and its last settlement. It returns nothing if the session
-- is not known, or not all that its worker was answered: the server went back to an earlier moment.
local function session_records(session, fetched, settled)
  local v = redis.call('HMGET', session, 'fetch', 'settle')
  local fetch, settle = tonumber((string.match(v[1] or '', '^%d+'))), tonumber((string.match(v[2] or '', '^%d+')))
  if fetch and settle and fetch >= fetched and settle >= settled then
    return v[1], v[2]
  end
end

-- Signals go out last, as lines of one message, and by pcall: PUBLISH may be refused (ACL) after the
-- writes, and a hint is not worth an error. 'w:ROUTE' work, 'r:RUN' run, 'p:RUN' its progress, 'd' due, 'm' mode, 'l:HOLDER:LIMIT' limit, 's:PLACE:KEY' semaphore.
local signals = {}
local function signal(what)
  signals[what] = true
end
local function publish(channel)
  local all = {}
  for what in pairs(signals) do
    all[#all + 1] = what
  end
  if #all > 0 then
    redis.pcall('PUBLISH', channel, table.concat(all, '\n'))
  end
end

-- A run's counters are read once, changed in a table and written once.
local COUNTERS = { 'total', 'pending', 'delayed', 'running', 'succeeded', 'failed', 'cancelled', 'retried', 'duplicates', 'holds' }
local SIGNAL_EVERY = 250 -- ms between two signals about the counts of one run

local function open_run(key, id)
  local v = redis.pcall('HMGET', key, 'state', 'paused', 'signalled', unpack(COUNTERS))
  if v.err or not v[1] then
    return nil -- gone or damaged: the runs beside it go on
  end
  local run = { key = key, id = id, state = v[1], paused = v[2] and true or false, signalled = number_of(v[3]), was = {} }
  for i, name in ipairs(COUNTERS) do
    local n = tonumber(v[i + 3] or 0)
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
  -- What may be the last change for a while is told at once.
  if now - run.signalled >= SIGNAL_EVERY or now < run.signalled or run.pending + run.running == 0 then
    set[#set + 1] = 'signalled'
    set[#set + 1] = now
    signal('r:' .. run.id)
  end
  redis.call('HSET', run.key, unpack(set))
end

-- enter puts a run into a ring, unless it is there, at its own virtual time in
-- the queue or the queue's clock, whichever is later: who comes back after a pause
-- gets no credit for it.
local function signal_work(ring)
  signal('w:' .. string.match(ring, '^{[^}]*}:ring:(.*)$'))
end
local function enter(ring, clock, run, queue)
  if run.paused then
    return
  end
  local mine = number_of(redis.call('HGET', run.key, 'v:' .. queue))
  local all = number_of(redis.call('HGET', clock, queue))
  if redis.call('ZADD', ring, 'NX', math.max(mine, all), run.id) == 1 then
    signal_work(ring)
  end
end

-- A lane whose run has all that its limits allow, or waits for its pre-job hook, stands aside: at the end of its ring, with
-- an infinite time, where fetch does not look. The run lists its route in the field aside, for whoever lets the run go on.

-- declared reads from ARGV the rings that the caller declares of lanes of a run that may stand aside: n, (route, ring) × n; -1 if
-- the call lets the run not go on. It returns what the run lists if a ring is missing: then the call is to be made again.
local function declared(run)
  local n, rings = num(), {}
  for _ = 1, n do
    local route = arg()
    rings[route] = KEYS[num()]
  end
  if n < 0 or not run then
    return nil
  end
  run.rings = rings
  local aside = redis.call('HGET', run.key, 'aside') or ''
  for route in string.gmatch(aside, '%S+') do
    if not rings[route] then
      return aside
    end
  end
  return nil
end

-- go_on gives the lanes of a run that stand aside their turns again, if anything let the run go on.
local function go_on(run, clock)
  local aside = run.let and redis.call('HGET', run.key, 'aside')
  if not aside then
    return
  end
  redis.call('HDEL', run.key, 'aside')
  for route in string.gmatch(aside, '%S+') do
    if redis.call('ZREM', run.rings[route], run.id) == 1 then
      enter(run.rings[route], clock, run, string.match(route, '^[^/]*'))
    end
  end
end

-- untally takes a redeemed lease that its run counts by kind out of that count, which lets the run go on.
local function untally(run, field)
  local kind = string.match(field, '^%d+%.%d+%.!%d+/[^/]*/(.*)$')
  if not kind then
    return
  end
  redis.pcall('HINCRBY', run.key, 'n:' .. kind, -1) -- a damaged count is no reason to keep the lease
  run.let = true
end

-- finish records the final state. The summary expires, the rest is purged: at once where it is clean, that is, nothing
-- is left but the list of its lanes. facts: retention, reporting, ended.
local function finish(run, state, keys, facts, clean)
  run.state = state
  facts = facts or redis.call('HMGET', run.key, 'retention', 'reporting', 'ended')
  if facts[2] then
    redis.call('HDEL', run.key, 'reporting', 'reported')
  end
  redis.call('HSET', run.key, 'state', state, 'ended', facts[3] or now)
  redis.call('ZADD', keys.hist, now + number_of(facts[1]), run.id)
  if clean then
    redis.call('UNLINK', keys.lanes)
  else
    redis.call('ZADD', keys.trash, now, run.id)
  end
  signal('r:' .. run.id)
end

-- maybe_end ends a run of which nothing is left: it is sealed and held by
-- nobody, or it was stopped and has drained. The post-job hook, if there is
-- one, becomes a task outside the counts. keys: hist, trash, clock, and lanes,
-- post (waiting list) and ring of the hook's lane; exact (the counts were not in doubt).
local function maybe_end(run, keys)
  if run.state == 'running' then
    if run.pending + run.delayed + run.running + run.holds ~= 0 then
      return false
    end
    local outcome = 'succeeded'
    if run.failed > 0 then
      outcome = 'failed'
    end
    local facts = redis.call('HMGET', run.key, 'retention', 'reporting', 'ended', 'post', 'postroute', 'postqueue', 'litter', 'sealafter')
    if not (facts[4] and facts[5] and facts[6]) then
      -- No task is left, so no lane is, and no child of one; and each lane left its ring with its last task. Other litter, like buckets
      -- of claimed IDs, is marked.
      finish(run, outcome, keys, facts, keys.exact and not facts[7] and not facts[8])
      return true
    end
    run.state = 'finishing'
    redis.call('HSET', run.key, 'state', 'finishing', 'outcome', outcome, 'ended', now)
    redis.call('SADD', keys.lanes, facts[5])
    redis.call('RPUSH', keys.post, facts[4])
    enter(keys.ring, keys.clock, run, facts[6])
    signal('r:' .. run.id)
    return true
  end
  if run.state == 'stopping' and run.running == 0 then
    finish(run, 'stopped', keys)
    return true
  end
  return false
end

-- grow_longest notes the length of the longest message of a run, for fetch to
-- bound its reply.
local function grow_longest(key, longest)
  if longest > number_of(redis.call('HGET', key, 'maxlen')) then
    redis.call('HSET', key, 'maxlen', longest)
  end
end

-- add reads a group of new tasks of one lane from ARGV and adds them to the run:
--   lane, route, queue, longest, n, message × n, m, (message, when, ids, digest) × m
-- lane is the index in KEYS of the lane's W, D and ring; when is '' for now, '+ms'
-- for a delay, or a time in ms; longest is the length of the longest message; ids is the index of the bucket of claimed IDs, or 0.
-- The position of every duplicate among the m of all calls goes to dups.
-- keys: clock, due, routes, lanes.
local CLAIMED = 9e15 -- past any time in ms
local specials = 0
local function add(run, keys, dups)
  local lane, route, queue, longest, n = num(), arg(), arg(), num(), num()
  local waiting, delayed, ring = KEYS[lane], KEYS[lane + 1], KEYS[lane + 2]
  local pushed, length, later, earliest = n, 0, 0, nil
  grow_longest(run.key, longest)
  if n > 0 then
    length = redis.call('RPUSH', waiting, unpack(ARGV, at + 1, at + n))
    at = at + n
  end
  for _ = 1, num() do
    local message, when, ids, digest = arg(), arg(), num(), arg()
    specials = specials + 1
    local duplicate = false
    if ids > 0 then
      if not run.litter then
        run.litter = true
        redis.call('HSETNX', run.key, 'litter', 1)
      end
      -- A claim stands with the score CLAIMED until its task is settled, then with the
      -- time until which it is kept.
      duplicate = redis.call('ZADD', KEYS[ids], 'NX', CLAIMED, digest) == 0
      if duplicate and redis.call('ZREMRANGEBYSCORE', KEYS[ids], '-inf', now) > 0 then
        duplicate = redis.call('ZADD', KEYS[ids], 'NX', CLAIMED, digest) == 0
      end
    end
    if duplicate then
      run.duplicates = run.duplicates + 1
      dups[#dups + 1] = specials
    elseif when == '' then
      length = redis.call('RPUSH', waiting, message)
      pushed = pushed + 1
    else
      local due = tonumber(when)
      if string.sub(when, 1, 1) == '+' then
        due = now + due
      end
      redis.call('ZADD', delayed, due, message)
      later = later + 1
      earliest = math.min(earliest or due, due)
    end
  end
  run.total = run.total + pushed + later
  run.pending = run.pending + pushed
  run.delayed = run.delayed + later
  if later > 0 then
    local name = run.id .. '/' .. route
    if redis.call('ZADD', keys.due, 'LT', 'CH', earliest, name) == 1 then
      signal('d')
    end
    redis.call('SADD', keys.lanes, route)
    redis.call('SADD', keys.routes, route)
  end
  if pushed > 0 and length == pushed then
    redis.call('SADD', keys.lanes, route)
    redis.call('SADD', keys.routes, route)
    enter(ring, keys.clock, run, queue)
  end
end
