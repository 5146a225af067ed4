-- Fixes a staged list without a marker. If the parent succeeded, the list gets its marker back. If
-- the parent is gone, the list is removed.
-- Uses: arguments, audit, rings, runs, signals.
-- KEYS  1 run, 2 staged list, 3 stage, 4 M, 5 session of the parent, 6 clock, 7 ring, 8 lanes, 9 routes, 10 audit
-- ARGV  channel, run, dry run (1), name of the list in stage, marker, route, queue, fields of the parent's delivery begin so, line of the audit or '', its run
-- Returns {sound}, {marked, length}: it is marked again, {dropped}
-- Repeat: absolute. HDEL is first, so that the script runs when memory is short.
local RUN, STAGED, STAGE, MARKERS, PARENT, CLOCK, RING, LANES, ROUTES = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local channel, id, dry, name, marker, route, queue, prefix = arg(), arg(), num() == 1, arg(), arg(), arg(), arg(), arg()
local run = open_run(RUN, id)
if not run or run.state ~= 'running' or redis.call('LLEN', STAGED) == 0 then
  return { 'sound' }
end
for _, have in ipairs(redis.call('LRANGE', MARKERS, 0, -1)) do
  if have == marker then
    return { 'sound' }
  end
end
if redis.call('HEXISTS', STAGE, name) == 1 then
  for _, field in ipairs(redis.call('HKEYS', PARENT)) do
    if string.sub(field, 1, #prefix) == prefix then
      return { 'sound' }
    end
  end
  if not dry then
    redis.call('HDEL', STAGE, name)
    redis.call('UNLINK', STAGED)
    audit(arg(), arg())
  end
  return { 'dropped' }
end
-- The parent's settlement takes the list out of stage, and removes it unless the parent succeeded.
if not dry then
  redis.call('RPUSH', MARKERS, marker)
  redis.call('SADD', LANES, route)
  enter(RING, { clock = CLOCK, routes = ROUTES }, run, queue)
  signal_work(RING) -- the lane may be in its ring, but workers found it empty
  audit(arg(), arg())
  publish(channel)
end
return { 'marked', redis.call('LLEN', STAGED) }
