-- Begins a run.
-- Uses: arguments, audit, begin_run, numbers, signals.
-- KEYS  as begin_run; the last: audit
-- ARGV  channel, job, token, number, last known number, declared (1), line of the audit; then as begin_run
-- Returns {ok, number}, {existing, number}, {active, number}, {disabled}, {again}: data that the
--       caller read has changed;
--       {declared, active number or 0, kind}: the name is that of a declared job; {missing}: it should be
-- Repeat: the same token finds the same run.
local channel, job, token, number, known = arg(), arg(), arg(), arg(), arg()
local declared, line = num(), arg()

local existing = redis.call('HGET', STARTS, token)
if existing then
  return { 'existing', existing }
end
local v = redis.call('HMGET', JOB, 'run', 'disabled', 'type')
local is_declared = v[3] and v[3] ~= 'single-pass'
if declared == 1 and not is_declared then
  return { 'missing' }
end
if declared == 1 and v[2] then
  return { 'disabled' }
end
if (v[1] or '') ~= known then
  return { 'again' }
end
local busy = v[1] and is_active(redis.call('HGET', LAST_RUN, 'state'))
if declared == 0 and is_declared then
  return { 'declared', busy and v[1] or 0, v[3] }
end
if busy then
  return { 'active', v[1] }
end
if tonumber(number) <= number_of(redis.call('HGET', META, 'run')) then
  return { 'again' }
end

begin(job, token, number)
audit(line, number)
publish(channel)
return { 'ok', number }
