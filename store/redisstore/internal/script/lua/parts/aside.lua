-- Uses: arguments, rings.
-- A lane stands aside if its run has reached a limit, or waits for its pre-job hook. Then it is at
-- the end of its ring, with an infinite time, where fetch does not look. The run lists its route in
-- the field aside, for the script that lets the run go on.

-- read_rings reads from ARGV the rings that the caller declares of lanes of a run that may stand
-- aside: n, (route, ring) × n; -1 if the call lets the run not go on. If a ring is missing, it
-- returns the list of the run: then the call must be made again.
local function read_rings(run)
  local n = num()
  if n < 0 then
    return nil
  end
  local rings = {}
  for _ = 1, n do
    local route = arg()
    rings[route] = KEYS[num()]
  end
  if not run then
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

-- go_on puts the lanes of a run that stand aside back into their turns, if the run may go on.
local function go_on(run, keys)
  local aside = run.let and redis.call('HGET', run.key, 'aside')
  if not aside then
    return
  end
  redis.call('HDEL', run.key, 'aside')
  for route in string.gmatch(aside, '%S+') do
    if redis.call('ZREM', run.rings[route], run.id) == 1 then
      enter(run.rings[route], keys, run, string.match(route, '^[^/]*'))
    end
  end
end

-- untally takes an ended lease out of its run's count by kind. So the run may go on.
local function untally(run, field)
  local kind = string.match(field, '^%d+%.%d+%.!%d+/[^/]*/(.*)$')
  if not kind then
    return
  end
  redis.pcall('HINCRBY', run.key, 'n:' .. kind, -1) -- the lease ends even if the count is damaged
  run.let = true
end
