-- Stops a run. It cancels waiting tasks by changing the counters, in constant time. The sets are
-- purged later.
-- Uses: arguments, audit, clock, ends, index, runs, signals.
-- KEYS  1 run, 2 hist, 3 trash, 4 index, 5 due, 6 audit
-- ARGV  channel, run, graceful (1), reason, if its deadline has passed (1), line of the audit
-- Returns {ok}, or {ok, job of the run} if it has a final state now; {missing}, {finished}
-- Repeat: the state shows it; for a run that a stop ended, the reply is ok. A deadline is in due as
--       d:R, and is taken out once. ZREM and HDEL are first, so that the script runs when memory is short.
local RUN, HIST, TRASH, INDEX, DUE = unpack(KEYS)
local channel, id, graceful, reason, overdue, line = arg(), arg(), arg(), arg(), num() == 1, arg()
local FINAL = { succeeded = true, failed = true, stopped = true, skipped = true }
local keys = { hist = HIST, trash = TRASH, index = INDEX, due = DUE }
if overdue then
  local due = redis.call('ZSCORE', DUE, 'd:' .. id)
  if not due or tonumber(due) > now then
    return { 'ok' }
  end
  redis.call('ZREM', DUE, 'd:' .. id)
end
local run = open_run(RUN, id)
if not run then
  return { 'missing' }
end
if FINAL[run.state] then
  return { (run.state == 'stopped' or redis.call('HGET', run.key, 'hookerror') == 'stopped') and 'ok' or 'finished' }
end
redis.call('HDEL', run.key, 'paused', 'root', 'rootwhen')
if overdue then
  redis.call('HSET', run.key, 'overdue', 1)
end
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
  redis.call('HSET', run.key, 'hookerror', overdue and reason or 'stopped')
  finish(run, redis.call('HGET', run.key, 'finalstatus'), keys)
end
save_run(run)
publish(channel)
return { 'ok', run.ended or nil }
