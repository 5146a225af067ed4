-- Stores the time of the sweep, and finds work for it. In a minute without points of the history, it sets aside the
-- histograms that have come, unless others are aside: what comes meanwhile is left for the next points.
-- Uses: clock, numbers, terms.
-- KEYS  1 meta, 2 leases, 3 trash, 4 hist, 5 kept, 6 terms, 7 routes, 8 listed, 9 series, 10 times, 11 taken
-- ARGV  sweep interval in ms
-- Returns {sessions}, {runs to purge}, {runs whose summary has expired}, {buckets with claimed IDs
--       that are kept no longer}, {routes: the next 64, in turn}, {listed names: the next 256, in turn}, now,
--       {what is noted in series: field, value …}, or nil if there are points of this minute
-- If no worker swept for three intervals, or the clock went back, workers may not have been able to
-- extend their leases. Then each lease is extended once by its term, and none has expired. Until the
-- next heartbeat of such a session, its term also says when the session was last heard from.
-- A session with a term but without a lease is damaged: it gets one more term.
-- Repeat: only reads apart from that. ZREM is first, so that the script runs when memory is short.
local META, LEASES, TRASH, HIST, KEPT, TERMS, ROUTES, LISTED, SERIES, TIMES, TAKEN = unpack(KEYS)
local interval = tonumber(ARGV[1])
local noted = redis.call('HMGET', META, 'sweep', 'looked', 'checked')
local last = number_of(noted[1])
redis.call('ZREM', LEASES, '')
local routes = redis.call('ZRANGEBYLEX', ROUTES, '(' .. (noted[2] or ''), '+', 'LIMIT', 0, 64)
local listed = redis.call('ZRANGEBYLEX', LISTED, '(' .. (noted[3] or ''), '+', 'LIMIT', 0, 256)
redis.call('HSET', META, 'sweep', now, 'looked', routes[64] or '', 'checked', listed[256] or '')
if last > 0 and (now < last or now - last > 3 * interval) then
  local leases = redis.call('ZRANGEBYSCORE', LEASES, 1, 'inf', 'WITHSCORES')
  for i = 1, #leases, 2 do
    local session, expires = leases[i], tonumber(leases[i + 1])
    local term, heard = term_of(redis.call('HGET', TERMS, session))
    if term > 0 and not heard then -- once: its next heartbeat restores the term
      redis.call('HSET', TERMS, session, string.format('%.0f %.0f', term, math.max(expires - term, 0)))
      redis.call('ZADD', LEASES, now + term, session)
    end
  end
end
if redis.call('HLEN', TERMS) > redis.call('ZCARD', LEASES) then
  local terms = redis.call('HGETALL', TERMS)
  for i = 1, #terms, 2 do
    local session, term = terms[i], term_of(terms[i + 1])
    if redis.call('ZADD', LEASES, 'NX', now + term, session) == 1 then
      redis.call('HSET', TERMS, session, string.format('%.0f 0', term)) -- when it was heard from is not known
    end
  end
end
local series = false
if tonumber((string.match(redis.call('HGET', SERIES, '') or '', '^%d+ (%d+)'))) ~= math.floor(now / 60000) then
  series = redis.call('HGETALL', SERIES)
  if redis.call('EXISTS', TIMES) == 1 then
    redis.call('RENAMENX', TIMES, TAKEN)
  end
end
return {
  redis.call('ZRANGEBYSCORE', LEASES, '-inf', now, 'LIMIT', 0, 16),
  redis.call('ZRANGEBYSCORE', TRASH, '-inf', now, 'LIMIT', 0, 64),
  redis.call('ZRANGEBYSCORE', HIST, '-inf', now, 'LIMIT', 0, 64),
  redis.call('ZRANGEBYSCORE', KEPT, '-inf', now, 'LIMIT', 0, 64),
  routes,
  listed,
  now,
  series,
}
