-- Extends a session and reads the states of the runs it works for.
-- KEYS  1 session, 2 leases, 3 meta, 4 due, 5 terms; a run each
-- ARGV  session, lease in ms, sweep interval in ms, what runs ('' for: as before)
-- Returns {ok, now, next due, held, sweep due (1), (state, graceful, configured) …}, {lost}
-- Repeat: absolute. ZREM goes first so that it passes when memory is short.
if redis.call('HEXISTS', KEYS[1], 'fetch') == 0 then
  return { 'lost' }
end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZADD', KEYS[2], now + ARGV[2], ARGV[1])
redis.call('HSET', KEYS[5], ARGV[1], ARGV[2])
if ARGV[4] ~= '' then
  redis.call('HSET', KEYS[1], 'busy', ARGV[4])
end
local swept = tonumber(redis.call('HGET', KEYS[3], 'sweep') or 0)
local due = 0
if now - swept >= tonumber(ARGV[3]) or now < swept then
  due = 1
end
local first = redis.call('ZRANGE', KEYS[4], 0, 0, 'WITHSCORES')
local reply = { 'ok', now, first[2] or '', redis.call('HLEN', KEYS[1]) - 4, due }
for i = 6, #KEYS do
  local v = redis.call('HMGET', KEYS[i], 'state', 'graceful', 'configured')
  reply[#reply + 1] = v[1] or ''
  reply[#reply + 1] = v[2] or ''
  reply[#reply + 1] = v[3] or 0
end
return reply
