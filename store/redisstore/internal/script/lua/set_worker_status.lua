-- Says of the session of a worker whether it may fetch, and whether the worker is to end.
-- Uses: audit, signals.
-- KEYS  1 session, 2 audit
-- ARGV  session, status, line of the audit, channel
-- Returns {ok}, {lost}
-- Repeat: absolute. HDEL is first, so that the script runs when memory is short.
local SESSION = KEYS[1]
local session, status, line, channel = unpack(ARGV)
local own = redis.call('HMGET', SESSION, 'fetch', 'status')
if not own[1] then
  return { 'lost' }
end
if own[2] ~= status then
  redis.call('HDEL', SESSION, 'status')
  redis.call('HSET', SESSION, 'status', status)
  audit(line)
end
signal('a:' .. session)
publish(channel)
return { 'ok' }
