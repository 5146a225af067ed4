-- Pauses a scope in a partition, or ends its pause.
-- Uses: arguments, audit, clock, numbers, signals.
-- KEYS  1 pauses: 'QUEUE/SET/KIND', each of which may be empty → 'SINCE NOTE', and version, which
--       differs after each change; 2 meta: pauses is the last version; 3 audit
-- ARGV  channel, scope, pause (1), how many scopes may be paused beside read-only mode, note, line of the audit
-- Returns {ok}, {full}
-- Repeat: absolute; since stays. HDEL is first, so that the script runs when memory is short.
local PAUSES, META = KEYS[1], KEYS[2]
local READ_ONLY = '//'
local channel, scope, pause, most, note, line = arg(), arg(), num(), num(), arg(), arg()
local before = redis.call('HGET', PAUSES, scope)
-- From the clock, so that a version that the server lost is not used again.
local version = math.max(number_of(redis.call('HGET', META, 'pauses')) + 1, time[1] * 1000000 + time[2])
version = string.format('%.0f', version)
if pause == 1 and not before and scope ~= READ_ONLY then
  local others = redis.call('HEXISTS', PAUSES, 'version') + redis.call('HEXISTS', PAUSES, READ_ONLY)
  if redis.call('HLEN', PAUSES) - others >= most then
    return { 'full' }
  end
end
redis.call('HDEL', PAUSES, scope, 'version')
if pause == 1 and string.match(before or '', '^%d+ (.*)$') ~= note or pause ~= 1 and before then
  audit(line)
end
if pause == 1 then
  local since = string.match(before or '', '^%d+') or string.format('%.0f', now)
  redis.call('HSET', PAUSES, scope, since .. ' ' .. note)
end
if redis.call('EXISTS', PAUSES) == 1 then
  redis.call('HSET', PAUSES, 'version', version)
end
redis.call('HSET', META, 'pauses', version)
signal('m')
publish(channel)
return { 'ok' }
