-- Seals an open run into which nothing was enqueued for the time it was started with.
-- KEYS  1 run, 2 idle, 3 holds, 4 clock, 5 hist, 6 trash, 7 lanes, 8 and 9 waiting list and ring of the post-job lane
-- ARGV  channel, run
-- Returns {ok}
-- Repeat: the hold is removed once.
local channel, id = arg(), arg()
local keys = { clock = KEYS[4], hist = KEYS[5], trash = KEYS[6], lanes = KEYS[7], post = KEYS[8], ring = KEYS[9] }
local due = redis.call('ZSCORE', KEYS[2], id)
if not due or tonumber(due) > now then
  return { 'ok' }
end
redis.call('ZREM', KEYS[2], id)
local run = open_run(KEYS[1], id)
if run and (run.state == 'running' or run.state == 'starting') and redis.call('HDEL', KEYS[3], 'open') == 1 then
  run.holds = run.holds - 1
  maybe_end(run, keys)
  save_run(run)
end
publish(channel)
return { 'ok' }
