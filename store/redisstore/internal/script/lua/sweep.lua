-- Notes that somebody sweeps, and finds what there is to do.
-- Uses: clock, numbers.
-- KEYS  1 meta, 2 leases, 3 trash, 4 hist, 5 idle, 6 kept, 7 terms
-- ARGV  sweep interval in ms
-- Returns {sessions}, {runs to purge}, {runs whose summary has expired}, {runs to seal}, {buckets with claimed IDs
--       that are kept no longer}
-- If nobody swept for three intervals, or the clock went back, no lease could be renewed or judged in that
--       time: each is extended once by its term, and none has expired. A term below zero is that of such a session
--       until it is heard from again.
-- A session that has a term and no lease was damaged: it gets one more term, to be heard from or to be found.
-- Repeat: only reads apart from that. ZREM goes first so that it passes when memory is short.
local interval = tonumber(ARGV[1])
local last = number_of(redis.call('HGET', KEYS[1], 'sweep'))
redis.call('ZREM', KEYS[2], '')
redis.call('HSET', KEYS[1], 'sweep', now)
if last > 0 and (now < last or now - last > 3 * interval) then
  for _, session in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], 1, 'inf')) do
    local term = number_of(redis.call('HGET', KEYS[7], session))
    if term > 0 then
      redis.call('HSET', KEYS[7], session, -term) -- once: its next heartbeat brings the term back
      redis.call('ZADD', KEYS[2], now + term, session)
    end
  end
end
if redis.call('HLEN', KEYS[7]) > redis.call('ZCARD', KEYS[2]) then
  local terms = redis.call('HGETALL', KEYS[7])
  for i = 1, #terms, 2 do
    redis.call('ZADD', KEYS[2], 'NX', now + math.abs(number_of(terms[i + 1])), terms[i])
  end
end
return {
  redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 16),
  redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, 64),
  redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now, 'LIMIT', 0, 64),
  redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', now, 'LIMIT', 0, 64),
  redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', now, 'LIMIT', 0, 64),
}
