-- Stops a run. It cancels waiting tasks by changing the counters, in constant time. The sets are
-- purged later.
-- Uses: arguments, audit, ends, index, runs, signals.
-- KEYS  1 run, 2 hist, 3 trash, 4 index, 5 audit
-- ARGV  channel, run, graceful (1), reason, line of the audit
-- Returns {ok}, {missing}, {finished}
-- Repeat: the state shows it; for a run that a stop ended, the reply is ok. HDEL is first, so
--       that the script runs when memory is short.
local RUN, HIST, TRASH, INDEX = unpack(KEYS)
local channel, id, graceful, reason, line = arg(), arg(), arg(), arg(), arg()
local FINAL = { succeeded = true, failed = true, stopped = true, skipped = true }
local keys = { hist = HIST, trash = TRASH, index = INDEX }
local run = open_run(RUN, id)
if not run then
  return { 'missing' }
end
if FINAL[run.state] then
  return { (run.state == 'stopped' or redis.call('HGET', run.key, 'hookerror') == 'stopped') and 'ok' or 'finished' }
end
redis.call('HDEL', run.key, 'paused', 'root', 'rootwhen')
if run.state == 'stopping' and (graceful == '1' or redis.call('HGET', run.key, 'graceful') ~= '1') then
  return { 'ok' }
end
audit(line, id)
if run.state == 'starting' or run.state == 'running' then
  run.cancelled = run.cancelled + run.pending + run.delayed
  run.pending, run.delayed, run.holds = 0, 0, 0
  change_state(run, INDEX, 'stopping', nil, 'graceful', graceful, 'reason', reason)
  signal('r:' .. id)
  maybe_end(run, keys)
elseif run.state == 'stopping' then
  redis.call('HSET', run.key, 'graceful', '0')
  signal('r:' .. id)
elseif run.state == 'finishing' then
  redis.call('HSET', run.key, 'hookerror', 'stopped')
  finish(run, redis.call('HGET', run.key, 'finalstatus'), keys)
end
save_run(run)
publish(channel)
return { 'ok' }
