-- Uses: arguments, clock, large, ledger, rings, signals.
-- add reads a group of new tasks of one lane from ARGV and adds them to the run:
--   lane, route, longest, n, message × n, m, (message, when, ids, digest) × m
-- lane is the index in KEYS of the lane's W and ring, and of D if m > 0; when is '' for now, '+ms'
-- for a delay, or a time in ms; longest is the length of the longest message; ids is the index of
-- the bucket of claimed IDs, or 0. The positions of duplicates, among the m of all calls, are added
-- to dups.
-- keys:
-- clock, due, routes, lanes.
local specials = 0

-- skip passes over a group, from its first argument on.
local function skip(length)
  specials = specials + tonumber(ARGV[cursor + 5 + tonumber(ARGV[cursor + 4])])
  cursor = cursor + length
end

local function add(run, keys, dups)
  local lane, route, longest, n = num(), arg(), num(), num()
  local waiting, pushed, length, later, earliest = KEYS[lane], n, 0, 0, nil
  if longest > run.longest then
    run.longest = longest
    redis.call('HSET', run.key, 'maxlen', longest)
  end
  if n > 0 then
    length = redis.call('RPUSH', waiting, unpack(ARGV, cursor + 1, cursor + n))
    note_pushed(run, route, ARGV, cursor + 1, cursor + n)
    cursor = cursor + n
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
      -- A claim has a score of FAR or more until its task has ended: FAR and the time now. Then it has
      -- the time until which it is kept.
      duplicate = redis.call('ZADD', KEYS[ids], 'NX', FAR + now, digest) == 0
      if duplicate and redis.call('ZREMRANGEBYSCORE', KEYS[ids], '-inf', now) > 0 then
        duplicate = redis.call('ZADD', KEYS[ids], 'NX', FAR + now, digest) == 0
      end
    end
    if duplicate then
      run.duplicates = run.duplicates + 1
      dups[#dups + 1] = specials
    elseif when == '' then
      length = redis.call('RPUSH', waiting, message)
      note_pushed(run, route, { message }, 1, 1)
      pushed = pushed + 1
    else
      local due = tonumber(when)
      if string.sub(when, 1, 1) == '+' then
        due = now + due
      end
      later = later + redis.call('ZADD', KEYS[lane + 2], due, message) -- an equal task of the same moment is already there
      earliest = math.min(earliest or due, due)
    end
  end
  run.total = run.total + pushed + later
  run.pending = run.pending + pushed
  run.delayed = run.delayed + later
  tally('e:', route, pushed + later)
  if later > 0 then
    local name = run.id .. '/' .. route
    if redis.call('ZADD', keys.due, 'LT', 'CH', earliest, name) == 1 then
      signal('d')
    end
    redis.call('SADD', keys.lanes, route)
  end
  if pushed > 0 and length == pushed then
    redis.call('SADD', keys.lanes, route)
    enter(KEYS[lane + 1], keys, run, string.match(route, '^[^/]*'))
  end
end
