-- Leases waiting tasks to a session, by turns between runs.
-- Uses: arguments, clock, names, numbers, pauses, streams.
-- KEYS  1 session, 2 clock, 3 due, 4 pauses; a ring per route; per hint: run, W, U, M, S
-- ARGV  number, last fetch and settlement answered, want, bytes, recovered task (1: may get one), window, skip: lanes of each ring to look at, and to pass over; queues: n, (queue, routes: n, (route, state of the run it needs) …) …;
--       hints: n, (route, run, marker, weight) × n: lanes learned from the last reply, whose keys are declared;
--       sets served in read-only mode, as '/SET/SET/'; budgets: n, (left, until in ms or 0, routes: n, route × n) × n;
--       limits per run: n, (max, fields of the run that count: n, field × n, routes: n, route × n) × n
-- Returns {ok, now, next due, {{route, run, job, routes, configured, {message …}} …}, {route, run, marker}…, how many lanes left their
--       place in a ring, 1 if a ring goes on behind the window, {budget of which nothing is left though more waits}…, version of the pauses},
--       {replay, now, next due, {field, message …}, version of the pauses}, {lost}, {stale}
-- Only hinted lanes are touched; the rest comes back as hints. A lane's sources are its list of
--       recovered tasks (one at a time), its waiting list W, and S, the staged children its first marker names.
-- Repeat: the session keeps the last number that delivered and its lanes; the same number reads them again.
local SESSION, CLOCK, DUE, PAUSES, FIRST_RING = KEYS[1], KEYS[2], KEYS[3], KEYS[4], 5
local RUN, WAITING, SUSPECTS, MARKERS, STAGED, HINT_KEYS = 0, 1, 2, 3, 4, 5 -- behind the base of a hint
local number, fetched, settled, want, bytes, recovered, window, skip = num(), num(), num(), num(), num(), num(), num(), num()
local text = ARGV[1]

local record, _, _, status = session_records(SESSION, fetched, settled)
if not record then
  return { 'lost' }
end
-- The scopes that are paused, and their version; nearly always there are none.
local paused, pauses = {}, 0
for _, scope in ipairs(redis.call('HKEYS', PAUSES)) do
  paused[scope] = true
end
if next(paused) then
  pauses = pauses_version(PAUSES)
end
local function next_due()
  local first = redis.call('ZRANGE', DUE, 0, 0, 'WITHSCORES')
  return first[2] or ''
end
local last = tonumber(string.match(record, '^%d+'))
if number < last then
  return { 'stale' }
elseif number == last and last > 0 then
  local fields, i = {}, 0
  for lane, count in string.gmatch(record, ' ([^ ]+) (%d+)') do
    for _ = 1, tonumber(count) do
      fields[#fields + 1] = text .. '.' .. i .. '.' .. lane
      i = i + 1
    end
  end
  local found = redis.call('HMGET', SESSION, unpack(fields))
  local held = {}
  for j, message in ipairs(found) do
    if message then
      held[#held + 1] = fields[j]
      held[#held + 1] = message
    end
  end
  return { 'replay', now, next_due(), held, pauses }
end

local queues, routes = {}, {}
for _ = 1, num() do
  local queue = { name = arg(), first = #routes + 1 }
  for _ = 1, num() do
    routes[#routes + 1] = { name = arg(), state = arg(), ring = KEYS[FIRST_RING + #routes] }
  end
  queue.last = #routes
  queues[#queues + 1] = queue
end
local hinted = {}
for i = 1, num() do
  local route, run, marker, weight = arg(), arg(), arg(), num()
  hinted[route .. '/' .. run] = { base = FIRST_RING + #routes + HINT_KEYS * (i - 1), marker = marker, weight = weight }
end

-- What limits a fetch: pauses, budgets of the worker, and limits of each run. A route knows those
-- that cover it.
local exempt = arg()

-- is_paused looks up the scopes of a route; the scope of all routes is read-only mode.
local function is_paused(name)
  local queue, set, kind = string.match(name, '^(.*)/(.*)/(.*)$')
  for _, q in ipairs({ queue, '' }) do
    for _, s in ipairs({ set, '' }) do
      for _, k in ipairs({ kind, '' }) do
        local scope = q .. '/' .. s .. '/' .. k
        if paused[scope] and (scope ~= '//' or not string.find(exempt, '/' .. set .. '/', 1, true)) then
          return true
        end
      end
    end
  end
  return false
end
if next(paused) or status ~= 'active' then
  for _, route in ipairs(routes) do
    route.closed = status ~= 'active' or is_paused(route.name)
  end
end
local function cover(kind, limit)
  for _ = 1, num() do
    local route = routes[num()]
    route[kind] = route[kind] or {}
    table.insert(route[kind], limit)
  end
end
local budgets = {}
for i = 1, num() do
  local budget, ends = { left = num() }, num()
  if ends > 0 and ends <= now then
    budget.left = 0
  end
  budgets[i] = budget
  cover('budgets', budget)
end
for _ = 1, num() do
  local limit = { max = num(), fields = {} }
  for i = 1, num() do
    limit.fields[i] = arg()
  end
  cover('limits', limit)
end

-- afford limits k by the budgets of a route.
local function afford(route, k)
  for _, budget in ipairs(route.budgets or {}) do
    k = math.min(k, budget.left)
  end
  return k
end

-- room returns how many more tasks of a route the limits of a run allow; nil if there is no limit.
local function room(route, key)
  local least
  for _, limit in ipairs(route.limits or {}) do
    local left = limit.max
    for _, n in ipairs(redis.call('HMGET', key, unpack(limit.fields))) do
      left = left - (tonumber(n or 0) or 0)
    end
    least = math.min(least or left, left)
  end
  return least
end

local HINTS = 64  -- lanes told to the client
local lanes, hints = {}, {}
local fields = { 'fetch', '' }
local summary = { text }
local got = 0
local rings = { left = 0, more = 0 } -- lanes that left their place in a ring; 1 if one goes on behind the window

-- leave takes a lane out of its ring.
local function leave(lane)
  lane.gone = true
  rings.left, lane.route.moved = rings.left + 1, true
  redis.call('ZREM', lane.route.ring, lane.id)
end

-- stand_aside puts a lane at the end of its ring, where fetch does not look, until its run may go
-- on.
local function stand_aside(lane)
  local key, name = KEYS[lane.hint.base + RUN], lane.route.name
  local aside = redis.call('HGET', key, 'aside') or ''
  if not string.find(aside .. ' ', ' ' .. name .. ' ', 1, true) then
    redis.call('HDEL', key, 'aside') -- first, so that the script runs when memory is short
    redis.call('HSET', key, 'aside', aside .. ' ' .. name)
  end
  leave(lane)
  redis.call('ZADD', lane.route.ring, '+inf', lane.id)
end

-- step_back puts a lane without tasks for this session behind the last lane that does not stand
-- aside, so that others go first. The time of a lane that stands aside reads as 0.
local function step_back(lane)
  local ring = lane.route.ring
  lane.hint.dry = true
  local last = number_of(redis.call('ZRANGE', ring, -1, -1, 'WITHSCORES')[2])
  if last > lane.score then
    rings.left, lane.route.moved = rings.left + 1, true
    lane.score = last
    redis.call('ZREM', ring, lane.id) -- first, so that the script runs when memory is short
    redis.call('ZADD', ring, last, lane.id)
  end
end

-- open_lane reads the data of a lane's run that visit needs. It returns nil if tasks of this lane
-- may not be leased; then the lane has left its place.
local function open_lane(lane, queue)
  local v = redis.pcall('HMGET', KEYS[lane.hint.base + RUN], 'state', 'paused', 'v:' .. queue, 'pending', 'running', 'maxlen',
    'started', 'job', 'routes', 'configured')
  if v.err or not tonumber(v[4] or 0) or not tonumber(v[5] or 0) then
    return leave(lane) -- the run's record is damaged: other runs are not affected
  end
  local state, paused = v[1], v[2]
  if state ~= lane.route.state or paused then
    if state == 'starting' and not paused then
      return stand_aside(lane) -- tasks came before the pre-job hook has passed
    end
    return leave(lane)
  end
  return {
    virtual = number_of(v[3]), pending = tonumber(v[4] or 0), running = tonumber(v[5] or 0), longest = tonumber(v[6] or 0) or 0,
    started = v[7], job = v[8] or '', routes = v[9] or '', configured = v[10] or 0,
  }
end

-- fit limits k by the bytes that are left, using the longest message of the run. One task always
-- fits into an empty reply.
local function fit(run, k)
  if run.longest <= 0 then
    return k
  end
  k = math.min(k, math.floor(bytes / run.longest))
  if k < 1 then
    bytes = 0 -- full
    k = got > 0 and 0 or 1
  end
  return k
end

-- pop appends up to n messages of a list.
local function pop(messages, list, n)
  local popped = n > 0 and redis.pcall('LPOP', list, n)
  if not popped or popped.err then
    return messages
  elseif #messages == 0 then
    return popped
  end
  for _, message in ipairs(popped) do
    messages[#messages + 1] = message
  end
  return messages
end

-- take pops up to k messages of a lane: a recovered task if this session may have one, then staged
-- children and waiting tasks. It returns whether the lane is empty.
local function take(lane, k, pending)
  local hint, base = lane.hint, lane.hint.base
  local w, u, m, s = KEYS[base + WAITING], KEYS[base + SUSPECTS], KEYS[base + MARKERS], KEYS[base + STAGED]
  local messages = {}
  if recovered == 1 then
    messages = pop(messages, u, 1)
    recovered = 1 - #messages
  end
  local marker, looked = hint.marker, false
  if string.sub(marker, 1, 1) == 'p' then
    marker, looked = redis.call('LINDEX', m, 0) or '', true
  end
  if looked and marker == hint.marker then
    messages = pop(messages, s, math.ceil((k - #messages) / 2))
    messages = pop(messages, w, k - #messages)
    messages = pop(messages, s, k - #messages)
    local left = redis.pcall('LLEN', s)
    if type(left) ~= 'number' or left == 0 then -- a list of a wrong type counts as empty
      redis.call('LPOP', m)
      marker = redis.call('LINDEX', m, 0) or ''
    end
  else
    messages = pop(messages, w, k - #messages)
    if not looked and #messages ~= pending then
      marker = redis.call('LINDEX', m, 0) or ''
    end
  end
  hint.front = marker -- the keys are those of hint.marker
  local n = #messages
  return messages, n > 0 and n < k and n == pending or redis.call('EXISTS', w, u, m) == 0
end

-- lease records the tasks taken from a lane: in the reply, in the session, and in the run, which
-- had its turn.
local function lease(queue, clock, lane, run, messages)
  local route, key, n = lane.route, KEYS[lane.hint.base + RUN], #messages
  local name = lane.id .. '/' .. route.name
  for _, budget in ipairs(route.budgets or {}) do
    budget.left = budget.left - n
  end
  if route.limits then
    name = '!' .. name
    add_to(key, 'n:' .. string.match(route.name, '^[^/]*/(.*)$'), n)
  end
  lanes[#lanes + 1] = { route.index, lane.id, run.job, run.routes, run.configured, messages }
  summary[#summary + 1] = name .. ' ' .. n
  local at, size = #fields, 0
  name_positions(fields, at + 1, 2, text .. '.', got, got + n - 1, '.' .. name)
  for _, message in ipairs(messages) do
    at = at + 2
    fields[at] = message
    size = size + #message
  end
  got, bytes = got + n, bytes - size
  -- A run does not save up turns that it could not take because no worker served its kind: the
  -- queue's clock is the minimum.
  lane.score = math.min(FAR, math.max(run.virtual, lane.score, clock) + n / lane.hint.weight)
  local set = { 'v:' .. queue, lane.score }
  if route.state == 'running' then
    set[3], set[4], set[5], set[6] = 'pending', run.pending - n, 'running', run.running + n
    if not run.started then
      set[7], set[8] = 'started', now
    end
  end
  redis.call('HSET', key, unpack(set))
end

-- visit pops up to k tasks of a hinted lane, and returns how many. lane.gone says that it left the
-- ring; lane.score is its place now.
local function visit(queue, clock, lane, k)
  local route = lane.route
  k = afford(route, k)
  if k < 1 then
    lane.hint.dry = true
    return 0
  end
  local run = open_lane(lane, queue)
  if not run then
    return 0
  end
  local left = room(route, KEYS[lane.hint.base + RUN])
  if left and left < 1 then
    stand_aside(lane)
    return 0
  end
  k = fit(run, math.min(k, left or k))
  if k < 1 then
    return 0
  end
  -- A run without pending tasks has nothing in any lane. A lane leaves its ring with its last task.
  local messages, empty = take(lane, k, route.state == 'running' and run.pending or -1)
  local n = #messages
  if n == 0 then
    if empty then
      leave(lane)
    else
      step_back(lane) -- it has a recovered task that this session may not have, or children that are not known yet
    end
    return 0
  end
  lease(queue, clock, lane, run, messages)
  if empty then
    leave(lane)
  elseif n == left then
    stand_aside(lane)
  else
    redis.call('ZADD', route.ring, lane.score, lane.id)
  end
  return n
end

-- shares divides the wanted tasks among the runs by weight, the lowest virtual time first, so that
-- their times become equal. A run that gets any gets at least a sixteenth, because a visit costs
-- more than a task.
local function shares(turn, left)
  local least = math.max(1, math.floor(left / 16))
  local level, weights, used = turn[1].score, 0, 0
  for _, run in ipairs(turn) do
    local rise = weights * (run.score - level)
    if used + rise >= left then
      break
    end
    used, level, weights = used + rise, run.score, weights + run.weight
  end
  level = level + (left - used) / weights
  for _, run in ipairs(turn) do
    run.share = math.max(least, math.ceil(run.weight * (level - run.score) - 0.001))
  end
end

local function serve(queue, turn)
  local clock = number_of(redis.call('HGET', CLOCK, queue))
  local served = clock
  -- If a run does not use its share, the rest is divided again among runs that may have more.
  while got < want and bytes > 0 and #turn > 0 do
    table.sort(turn, function(a, b) return a.score < b.score end)
    shares(turn, want - got)
    local rest = {}
    for _, run in ipairs(turn) do
      local took, more = 0, false
      for i, lane in ipairs(run.lanes) do
        local k = math.min(math.ceil((run.share - took) / (#run.lanes - i + 1)), want - got)
        if k > 0 and bytes > 0 and not lane.gone then
          local n = visit(queue, clock, lane, k)
          if n > 0 then
            took, more = took + n, more or n == k and not lane.gone
            served = math.max(served, run.score)
          end
        end
      end
      for _, lane in ipairs(run.lanes) do
        run.score = math.max(run.score, lane.score)
      end
      if more then
        rest[#rest + 1] = run
      end
    end
    turn = rest
  end
  if served > clock then
    redis.call('HSET', CLOCK, queue, served)
  end
end

-- front reads the first lanes of a route, with their scores. Lanes that stand aside come after all
-- others.
local function front(route)
  if route.closed then
    return {}
  end
  return redis.call('ZRANGEBYSCORE', route.ring, '-inf', '(+inf', 'WITHSCORES', 'LIMIT', skip, window)
end
for _, queue in ipairs(queues) do
  -- The lanes of one run in one queue take one turn together.
  local seen, turn, byrun = {}, {}, {}
  for r = queue.first, queue.last do
    routes[r].index = r
    local entries = front(routes[r])
    routes[r].front = entries
    if #entries == 2 * window and afford(routes[r], 1) == 1 then
      rings.more = 1
    end
    for i = 1, #entries, 2 do
      local id, score = entries[i], number_of(entries[i + 1])
      local hint = hinted[r .. '/' .. id]
      local lane = { score = score, route = routes[r], id = id, hint = hint }
      seen[#seen + 1] = lane
      if hint then
        local run = byrun[id]
        if not run then
          run = { score = score, weight = hint.weight, lanes = {} }
          byrun[id] = run
          turn[#turn + 1] = run
        end
        run.score = math.max(run.score, score)
        run.lanes[#run.lanes + 1] = lane
      end
    end
  end
  if #turn > 0 then
    serve(queue.name, turn)
  end
  for _, lane in ipairs(seen) do
    if not lane.gone then
      for _, budget in ipairs(lane.route.budgets or {}) do
        budget.short = budget.left < 1
      end
    end
  end
end
-- The reply names the lanes that are now in front, those of a queue by turns. Lanes that gave
-- nothing come last, so that they do not displace the others.
local first, last = {}, {}
for _, queue in ipairs(queues) do
  local ahead = {}
  for r = queue.first, queue.last do
    local entries = routes[r].moved and front(routes[r]) or routes[r].front
    for i = 1, #entries, 2 do
      local id = entries[i]
      ahead[#ahead + 1] = { index = r, id = id, score = number_of(entries[i + 1]), hint = hinted[r .. '/' .. id] }
    end
  end
  if #routes > 1 then
    table.sort(ahead, function(a, b) return a.score < b.score end)
  end
  for _, lane in ipairs(ahead) do
    local half = lane.hint and lane.hint.dry and last or first
    half[#half + 1] = lane
  end
end
for _, half in ipairs({ first, last }) do
  for _, lane in ipairs(half) do
    local next = #hints
    if next < 3 * HINTS then
      hints[next + 1], hints[next + 2], hints[next + 3] = lane.index, lane.id, lane.hint and (lane.hint.front or lane.hint.marker) or ''
    end
  end
end

if got > 0 then
  fields[2] = table.concat(summary, ' ')
  redis.call('HSET', SESSION, unpack(fields))
end
local short = {}
for i, budget in ipairs(budgets) do
  if budget.short then
    short[#short + 1] = i - 1
  end
end
return { 'ok', now, next_due(), lanes, hints, rings.left, rings.more, short, pauses }
