-- Uses: arguments, rings.
-- A lane whose run has all that its limits allow, or waits for its pre-job hook, stands aside: at
-- the end of its ring, with an infinite time, where fetch does not look. The run lists its route in
-- the field aside, for whoever lets the run go on.

-- read_rings reads from ARGV the rings that the caller declares of lanes of a run that may stand
-- aside: n, (route, ring) × n; -1 if the call lets the run not go on. It returns what the run lists
-- if a ring is missing: then the call is to be made again.
local function read_rings(run)
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

-- untally takes a redeemed lease that its run counts by kind out of that count, which lets the run
-- go on.
local function untally(run, field)
  local kind = string.match(field, '^%d+%.%d+%.!%d+/[^/]*/(.*)$')
  if not kind then
    return
  end
  redis.pcall('HINCRBY', run.key, 'n:' .. kind, -1) -- a damaged count is no reason to keep the lease
  run.let = true
end
