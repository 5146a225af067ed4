-- Moves a slice of staged children with a delay or a claimed ID from their staged list to their
-- lane.
-- Uses: add, arguments, ends, ledger, runs, signals.
-- KEYS  1 clock, 2 due, 3 hist, 4 trash, 5 routes, 6 index, 7 run, 8 lanes, 9 and 10 waiting list and ring of the post-job
--       lane, 11 staged list, 12 ledger, 13 M; lane as in add; buckets of IDs
-- ARGV  channel, run, marker, route, length of the list as it was read, count, and if count > 0: group as in add
-- Returns {ok}, {moved}: another worker was faster
-- Repeat: the script compares the marker and the length of the list, which only becomes shorter.
local RUN, STAGED, LEDGER, MARKERS = KEYS[7], KEYS[11], KEYS[12], KEYS[13]
local channel, id, marker, route, length, count = arg(), arg(), arg(), arg(), num(), num()
local keys = {
  clock = KEYS[1], due = KEYS[2], hist = KEYS[3], trash = KEYS[4], routes = KEYS[5], index = KEYS[6], lanes = KEYS[8], post = KEYS[9],
  ring = KEYS[10],
}
local run = open_run(RUN, id)
local have = redis.pcall('LLEN', STAGED)
if type(have) ~= 'number' then
  have = 0 -- a list of a wrong type counts as empty
end
if not run or run.state ~= 'running' or redis.call('LINDEX', MARKERS, 0) ~= marker or have ~= length then
  return { 'moved' }
end
if count == length then
  redis.call('UNLINK', STAGED)
  redis.call('LPOP', MARKERS)
else
  redis.call('LTRIM', STAGED, count, -1)
end
-- They were counted when their parent succeeded.
run.total = run.total - count
run.pending = run.pending - count
tally('e:', route, -count)
if count > 0 then
  add(run, keys, {})
end
maybe_end(run, keys)
save_run(run)
write_ledger(LEDGER, keys.routes)
publish(channel)
return { 'ok' }
