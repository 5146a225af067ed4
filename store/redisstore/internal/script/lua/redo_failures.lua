-- Moves failures of an active run: back to their lanes, or among the cancelled tasks. Or accepts
-- them; or has the post-job hook that gave up wait again.
-- Uses: arguments, audit, clock, ends, large, numbers, rings, runs, signals, streams.
-- KEYS  1 producer record, 2 run, 3 dead letters, 4 lanes, 5 clock, 6 routes, 7 failing, 8 hist, 9 trash, 10 index,
--       11 and 12 waiting list and ring of the post-job lane, 13 due; per lane: W, ring; buckets of IDs; last: audit
-- ARGV  channel, number, ttl, run, line of the audit or '', its run; retry, discard, accept or post-job; place where the next call goes on;
--       lanes: n, (W, route, queue, longest message) × n;
--       failures: n, (place, lane or 0, message, bucket or 0, digest of a claimed ID) × n; how many cannot be retried
-- Returns {word, record}: ok and "number moved in-use unreadable gone next", for a repeat the same; unknown (no such producer),
--       stale (a lower number), missing, stopped, finished, idle (nothing holds the run that could be accepted or repeated)
-- The place of a failure is the fence: only the script that removes its dead letter moves its task,
-- in the same step.
--   settle    the run counts the task as pending before it may end; a later failure of it has a new place
--   stop      if it came first, nothing is moved; if it comes later, the tasks are cancelled with the others
--   seal, end a run without tasks and holds has ended and refuses; one with some does not end before the tasks that were moved;
--             one that is held for its failures ends in the step that takes the last of them, or accepts them
--   accept    and a repeat of the hook: whichever comes first; the other one finds that the hook waits, or that the run has ended
--   purge     only of ended runs, which refuse
--   another   whoever removes the letter moves it; the other one finds nothing, and does not count it
--   the cap   a letter that was dropped meanwhile is not found, and is not moved
--   enqueue   whoever claims the ID of the task first keeps it: if a new task has it, the failure stays
--   repair    sees other counts than it has read, and reads again
-- A server that loses the step loses all of it: the failure is there again.
-- Repeat: the record has the last number with its reply; the same number gets it again. ZREM is first, so that the
--       script runs when memory is short: a dead letter is larger than its task.
local PRODUCER, RUN, DEAD, LANES, CLOCK, ROUTES, FAILING = unpack(KEYS)
local ENDS = {
  hist = KEYS[8], trash = KEYS[9], index = KEYS[10], clock = CLOCK, routes = ROUTES, lanes = LANES, post = KEYS[11], ring = KEYS[12],
  due = KEYS[13], exact = true,
}
local channel, number, ttl, id, line, audited, action, next = arg(), num(), arg(), arg(), arg(), arg(), arg(), num()
local discard = action == 'discard'
local record = redis.call('GET', PRODUCER)
local early = answered(record, number, 'unknown')
if early then
  redis.call('PEXPIRE', PRODUCER, ttl)
  return early
end
local run = open_run(RUN, id)
if not run then
  return { 'missing' }
end
local open = run.state == 'running' or run.state == 'starting'

local function answer(moved, in_use, unreadable)
  local kept = redis.call('ZCARD', DEAD)
  if kept == 0 then
    redis.call('ZREM', FAILING, id)
  end
  if moved > 0 then
    audit(line, audited)
  end
  save_run(run)
  record = string.format('%.0f %d %d %d %.0f %.0f', number, moved, in_use, unreadable, math.max(0, run.failed - kept), next)
  redis.call('SET', PRODUCER, record, 'PX', ttl)
  publish(channel)
  return { 'ok', record }
end

-- release accepts the failures, or what the post-job hook ended with, or repeats that hook. It
-- returns how much it changed, or nil if nothing holds the run so.
local function release()
  local facts = redis.call('HMGET', RUN, 'onfailure', 'hookerror', 'finalstatus', 'post', 'postroute', 'postqueue')
  local gave_up = run.state == 'finishing' and facts[1] and facts[2]
  if action == 'post-job' then
    if gave_up and facts[4] then
      redis.call('HDEL', RUN, 'hookerror', 'result')
      redis.call('HSET', RUN, 'signalled', now)
      add_post(run, ENDS, facts[4], facts[5], facts[6])
      return 1
    end
  elseif gave_up then
    finish(run, facts[3], ENDS)
    return 1
  elseif facts[1] == 'accepted' then
    return 0
  elseif facts[1] and open then
    redis.call('HSET', RUN, 'onfailure', 'accepted')
    signal('r:' .. id)
    maybe_end(run, ENDS)
    return 1
  end
end

if action == 'accept' or action == 'post-job' then
  redis.call('ZREM', DEAD, '')
  local changed = release()
  if changed then
    return answer(changed, 0, 0)
  end
end
if run.state == 'stopping' or run.state == 'stopped' then
  return { 'stopped' }
elseif not open and (run.state ~= 'finishing' or action == 'retry' or discard) then
  return { 'finished' }
elseif action == 'accept' or action == 'post-job' then
  return { 'idle' }
end
redis.call('ZREM', DEAD, '')

local lanes = {}
for i = 1, num() do
  lanes[i] = { at = num(), route = arg(), queue = arg(), longest = num() }
end

-- claim claims the ID of a task again, and returns whether no other task has it: then its score is
-- FAR, or more.
local function claim(bucket, digest)
  return bucket == 0 or redis.call('ZADD', KEYS[bucket], 'GT', 'CH', FAR, digest) == 1
end

-- wait_again puts the task of a failure that was removed behind the others of its lane.
local function wait_again(lane, message)
  redis.call('RPUSH', KEYS[lane.at], message)
  redis.call('SADD', LANES, lane.route)
  if lane.longest > run.longest then
    run.longest = lane.longest
    redis.call('HSET', RUN, 'maxlen', lane.longest)
  end
  note_pushed(run, lane.route, { message }, 1, 1)
  enter(KEYS[lane.at + 1], { clock = CLOCK, routes = ROUTES }, run, lane.queue)
end

local moved, in_use = 0, 0
for _ = 1, num() do
  local place, lane, message, bucket, digest = arg(), num(), arg(), num(), arg()
  if redis.call('ZCOUNT', DEAD, place, place) == 0 then
    -- it was moved or dropped since it was read
  elseif not claim(bucket, digest) then
    in_use = in_use + 1
  else
    redis.call('ZREMRANGEBYSCORE', DEAD, place, place)
    moved = moved + 1
    if not discard then
      wait_again(lanes[lane], message)
    end
  end
end
local unreadable = num()

run.failed = math.max(0, run.failed - moved)
if discard then
  run.cancelled = run.cancelled + moved
else
  run.pending = run.pending + moved
  run.retried = run.retried + moved
end
if moved > 0 then
  add_to(RUN, 'redone', moved)
end
if run.failed == 0 then
  redis.call('HDEL', RUN, 'error')
end
maybe_end(run, ENDS)
return answer(moved, in_use, unreadable)
