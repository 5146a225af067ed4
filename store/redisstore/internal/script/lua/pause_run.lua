-- Pauses a run, or resumes it: its lanes enter their rings again.
-- Uses: arguments, audit, index, rings, runs, signals.
-- KEYS  1 run, 2 clock, 3 lanes, 4 routes, 5 index; per lane: W, U, M, ring; last: audit
-- ARGV  channel, run, pause (1), line of the audit, number of lanes, queue × n
-- Returns {ok}, {missing}, {finished}, {again}: there are more lanes now
-- Repeat: absolute.
local RUN, LANES, INDEX = KEYS[1], KEYS[3], KEYS[5]
local keys = { clock = KEYS[2], routes = KEYS[4] }
local channel, id, pause, line, count = arg(), arg(), num(), arg(), num()
local run = open_run(RUN, id)
if not run then
  return { 'missing' }
end
if run.state ~= 'starting' and run.state ~= 'running' and run.state ~= 'finishing' then
  return { 'finished' }
end
local changes = run.paused ~= (pause == 1)
if pause == 1 then
  redis.call('HDEL', run.key, '') -- first, so that the script runs when memory is short
  if not run.paused then
    change_state(run, INDEX, run.state, nil, 'paused', 1)
  end
else
  if redis.call('SCARD', LANES) ~= count then
    return { 'again' }
  end
  redis.call('HDEL', run.key, 'paused')
  if run.paused then
    change_state(run, INDEX, run.state)
  end
  run.paused = false
  for i = 1, count do
    local base = 6 + 4 * (i - 1)
    local queue = arg()
    if redis.call('EXISTS', KEYS[base], KEYS[base + 1], KEYS[base + 2]) > 0 then
      enter(KEYS[base + 3], keys, run, queue)
      signal_work(KEYS[base + 3]) -- the lane may still be in its ring, but workers skipped it
    end
  end
end
if changes then
  audit(line, id)
end
signal('r:' .. id)
publish(channel)
return { 'ok' }
