-- Seals or stops an open run after its time without an enqueue, unless its deadline has passed, too,
-- which comes first.
-- Uses: arguments, clock, ends, index, runs, signals.
-- KEYS  1 run, 2 due, 3 holds, 4 clock, 5 hist, 6 trash, 7 lanes, 8 and 9 waiting list and ring of the post-job lane, 10 routes, 11 index
-- ARGV  channel, run, reason if it is stopped
-- Returns {ok}, or {ok, job of the run} if it has a final state now
-- Repeat: the hold is removed once; after an enqueue meanwhile, the run is due later. ZREM is
--       first, so that the script runs when memory is short.
local RUN, DUE, HOLDS = KEYS[1], KEYS[2], KEYS[3]
local channel, id, reason = arg(), arg(), arg()
local keys = {
  clock = KEYS[4], hist = KEYS[5], trash = KEYS[6], lanes = KEYS[7], post = KEYS[8], ring = KEYS[9], routes = KEYS[10],
  index = KEYS[11], due = DUE,
}
local due = redis.call('ZSCORE', DUE, 'i:' .. id)
if not due or tonumber(due) > now then
  return { 'ok' }
end
redis.call('ZREM', DUE, 'i:' .. id)
local deadline = redis.call('ZSCORE', DUE, 'd:' .. id)
if deadline and tonumber(deadline) <= now then
  return { 'ok' }
end
local run = open_run(RUN, id)
if run and (run.state == 'running' or run.state == 'starting') and redis.call('HDEL', HOLDS, 'open') == 1 then
  run.holds = run.holds - 1
  if redis.call('HGET', run.key, 'stopidle') then
    redis.call('HDEL', run.key, 'paused', 'root', 'rootwhen')
    run.cancelled = run.cancelled + run.pending + run.delayed
    run.pending, run.delayed, run.holds = 0, 0, 0
    change_state(run, keys.index, 'stopping', nil, 'graceful', '0', 'reason', reason)
    signal('r:' .. id)
  end
  maybe_end(run, keys)
  save_run(run)
end
publish(channel)
return { 'ok', run and run.ended or nil }
