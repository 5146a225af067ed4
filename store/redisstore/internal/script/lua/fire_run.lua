-- Fires a due time of a periodic job: begins a run, and sets the next due time.
-- Uses: arguments, begin_run, clock, numbers, signals.
-- KEYS  as begin_run; 18 pauses
-- ARGV  channel, job, token, number, last known number, due (0: none yet), changes, how many due times follow, these, delay in ms,
--       wait (1), rest in ms, served in read-only mode (1); then as begin_run
-- Returns {word, now, number}: started and the run, now or earlier; skipped, as a run is active; waiting for that run or for the end of
--       read-only mode; moved; early; missing; disabled; {again}: data that the caller read has
--       changed
-- Repeat: the same due time finds the same run. If the due time was changed, the reply is moved.
local PAUSES = KEYS[18]
local RECHECK = 5000 -- ms; store.FireRecheck
local LAST = 253402300799999 -- ms; the last time that a store keeps
local channel, job, token, number, known = arg(), arg(), arg(), arg(), arg()
local due, changes = num(), arg()
-- next_due reads due times; the first that is later than now is the next. It is 0 if there is none.
local function next_due()
  local first = 0
  for _ = 1, num() do
    local at = num()
    if first == 0 and at > now then
      first = at
    end
  end
  return first
end
local following, delay, wait, rest, anyway = next_due(), num(), num(), num(), num()

local v = redis.call('HMGET', JOB, 'type', 'disabled', 'run', 'due', 'acts', 'changes')
if not v[1] then
  return { 'missing', now }
end
local member = 'j:' .. job
local function set_due(at)
  redis.call('HDEL', JOB, 'problem', 'problemsince') -- first, so that the script runs when memory is short
  local acts = string.format('%.0f', math.min(at + delay, LAST))
  redis.call('HSET', JOB, 'due', string.format('%.0f', at), 'acts', acts)
  redis.call('ZADD', DUE, acts, member)
  signal('d')
  signal('j:' .. job)
end
local existing = redis.call('HGET', STARTS, token)
if due > 0 and existing then
  if not v[2] and v[1] == 'periodic' and tonumber(v[4] or 0) == due and (v[6] or '0') == changes and number_of(v[5]) <= now and following > 0 then
    set_due(following) -- the clock went back, and the job is due again at the same time
    publish(channel)
  end
  return { 'started', now, existing }
end
if v[2] then
  return { 'disabled', now }
end
if (v[3] or '') ~= known then
  return { 'again' }
end
if v[1] ~= 'periodic' or tonumber(v[4] or 0) ~= due or (v[6] or '0') ~= changes then
  return { 'moved', now }
end
if following == 0 or due > 0 and number_of(v[5]) > now then
  return { 'early', now }
end

if due == 0 then
  set_due(following)
  publish(channel)
  return { 'moved', now }
end
local newest = v[3] and redis.call('HMGET', LAST_RUN, 'state', 'ended') or {}
local busy = is_active(newest[1])
if anyway == 0 and redis.call('HEXISTS', PAUSES, '//') == 1 or busy and (wait == 1 or rest > 0) then
  redis.call('HDEL', JOB, 'problem', 'problemsince') -- first, so that the script runs when memory is short
  redis.call('ZADD', DUE, now + RECHECK, member)
  return { 'waiting', now, busy and v[3] or '' }
end
if busy then
  set_due(following)
  add_to(JOB, 'skipped', 1)
  redis.call('HSET', JOB, 'lastskip', v[4])
  publish(channel)
  return { 'skipped', now }
end
local rested = number_of(newest[2]) + rest
if rest > 0 and rested > now then
  set_due(rested)
  publish(channel)
  return { 'moved', now }
end
if tonumber(number) <= number_of(redis.call('HGET', META, 'run')) then
  return { 'again' }
end
begin(job, token, number) -- first: it is refused when memory is short
set_due(following)
publish(channel)
return { 'started', now, number }
