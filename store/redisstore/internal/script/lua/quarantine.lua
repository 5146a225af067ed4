-- Removes a task that cannot be decoded from where it waits, and counts it as failed.
-- Uses: arguments, audit, bury, ends, ledger, retrying, runs, signals.
-- KEYS  1 where it waits, 2 run, 3 dead letters, 4 hist, 5 trash, 6 clock, 7 lanes,
--       8 and 9 waiting list and ring of the post-job lane, 10 routes, 11 failing, 12 index, 13 ledger, 14 due, 15 audit
-- ARGV  channel, run, route, message, where (pending, delayed, or '' for a hook, which is outside the counts), dead letter, error,
--       line of the audit or '', its run
-- Returns {taken (1)}
-- Repeat: LREM or ZREM, which is first, removes the task once.
local PLACE, RUN, DEAD = KEYS[1], KEYS[2], KEYS[3]
local channel, id, route, message, where, letter, err = arg(), arg(), arg(), arg(), arg(), arg(), arg()
local keys = {
  hist = KEYS[4], trash = KEYS[5], clock = KEYS[6], lanes = KEYS[7], post = KEYS[8], ring = KEYS[9], routes = KEYS[10],
  index = KEYS[12], due = KEYS[14],
}
local run = open_run(RUN, id)
if not run or run.state ~= 'running' and run.state ~= 'starting' and run.state ~= 'finishing' then
  return { 0 }
end
local taken
if redis.call('TYPE', PLACE).ok == 'zset' then
  taken = redis.call('ZREM', PLACE, message)
else
  taken = redis.call('LREM', PLACE, 1, message)
end
if taken == 1 and where ~= '' then
  run[where] = run[where] - 1
  run.failed = run.failed + 1
  tally('f:', route, 1)
  if where == 'delayed' then
    note_retrying(run, route, { message }, -1)
  end
  redis.call('HSET', run.key, 'litter', 1)
  bury(run, DEAD, KEYS[11], letter, err)
  maybe_end(run, keys)
  save_run(run)
  write_ledger(KEYS[13], keys.routes)
end
if taken == 1 then
  audit(arg(), arg())
end
publish(channel)
return { taken }
