-- Pauses a run, or resumes it: its lanes enter their rings again.
-- Uses: arguments, rings, runs, signals.
-- KEYS  1 run, 2 clock, 3 lanes, 4 routes; per lane: W, U, M, ring
-- ARGV  channel, run, pause (1), number of lanes, queue × n
-- Returns {ok}, {missing}, {finished}, {again}: there are more lanes now
-- Repeat: absolute.
local RUN, LANES = KEYS[1], KEYS[3]
local keys = { clock = KEYS[2], routes = KEYS[4] }
local channel, id, pause, count = arg(), arg(), num(), num()
local run = open_run(RUN, id)
if not run then
  return { 'missing' }
end
if run.state ~= 'starting' and run.state ~= 'running' and run.state ~= 'finishing' then
  return { 'finished' }
end
if pause == 1 then
  redis.call('HDEL', run.key, 'paused') -- first, so that the script runs when memory is short
  redis.call('HSET', run.key, 'paused', 1)
else
  if redis.call('SCARD', LANES) ~= count then
    return { 'again' }
  end
  redis.call('HDEL', run.key, 'paused')
  run.paused = false
  for i = 1, count do
    local base = 5 + 4 * (i - 1)
    local queue = arg()
    if redis.call('EXISTS', KEYS[base], KEYS[base + 1], KEYS[base + 2]) > 0 then
      enter(KEYS[base + 3], keys, run, queue)
      signal_work(KEYS[base + 3]) -- the lane may still be in its ring, but workers skipped it
    end
  end
end
signal('r:' .. id)
publish(channel)
return { 'ok' }
