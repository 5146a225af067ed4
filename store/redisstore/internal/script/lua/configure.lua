-- Replaces or removes the configuration of a set, or of a run, if it has the expected version.
-- Uses: arguments, audit, clock, numbers, signals.
-- KEYS  1 document; for a run: 2 run; last: audit
-- ARGV  token, expected version or -1 for any, changes to keep, by, reason, 1 to keep a document or 0 to remove it, document; channel, line of the audit; for a run: run
-- Returns {ok, version}, {conflict, version}, {corrupt}, {missing}, {finished}
-- Repeat: the script finds the token of the change in the history.
local DOCUMENT, RUN = KEYS[1], KEYS[2]
local token, expected, kept, by, reason, keep, document = arg(), arg(), num(), arg(), arg(), num(), arg()
local channel, line, id = arg(), arg(), arg()

local stored = redis.call('HGET', DOCUMENT, 'version')
local version = number_of(stored)
if stored and version < 1 then
  return { 'corrupt' }
end
for v = version, math.max(1, version - kept + 1), -1 do
  if redis.call('HGET', DOCUMENT, 'token:' .. v) == token then
    return { 'ok', v }
  end
end
if id then
  local state = redis.call('HGET', RUN, 'state')
  if not state then
    return { 'missing' }
  elseif state == 'succeeded' or state == 'failed' or state == 'stopped' or state == 'skipped' then
    return { 'finished' }
  end
end
if expected ~= '-1' and expected ~= string.format('%.0f', version) then
  return { 'conflict', version }
end

local before = redis.call('HGET', DOCUMENT, 'document')
version = version + 1
local set = { 'version', version, 'token:' .. version, token, 'by:' .. version, by, 'reason:' .. version, reason, 'at:' .. version, now }
if before then
  set[#set + 1] = 'before:' .. version
  set[#set + 1] = before
end
if keep == 1 then
  set[#set + 1] = 'document'
  set[#set + 1] = document
end
redis.call('HSET', DOCUMENT, unpack(set))
if keep == 0 then
  redis.call('HDEL', DOCUMENT, 'document')
end
local old = version - kept
redis.call('HDEL', DOCUMENT, 'token:' .. old, 'by:' .. old, 'reason:' .. old, 'at:' .. old, 'before:' .. old)
audit(line, id)
if id then
  -- The mark of the change, which workers compare, is a time in µs. So if the server loses the
  -- change, no later one gets the same mark.
  local mark = math.max(time[1] * 1000000 + time[2], number_of(redis.call('HGET', RUN, 'configured')) + 1)
  redis.call('HSET', RUN, 'configured', string.format('%.0f', mark))
  signal('r:' .. id)
else
  signal('c')
end
publish(channel)
return { 'ok', version }
