-- Closes a session: it can no longer fetch, stage or settle. Its tasks stay until reclaim. If its
-- lease has run out, the script keeps a record of the session.
-- Uses: clock, signals, terms.
-- KEYS  1 session, 2 leases, 3 terms, 4 lost: "SESSION HEARD HELD WORKER" → when the session ended
-- ARGV  session, forced (1: by its own worker; 0: only if its lease has run out), largest number of
--       records, time in ms for which they are kept, channel
-- Returns {closed, description, what runs}: it holds tasks; {gone}; {alive}
-- Repeat: absolute; only an open session leaves a record. HDEL is first, so that the script runs
--       when memory is short.
local SESSION, LEASES, TERMS, LOST = unpack(KEYS)
local session, forced, most, kept = ARGV[1], ARGV[2] == '1', tonumber(ARGV[3]), tonumber(ARGV[4])
local expires = redis.call('ZSCORE', LEASES, session)
if not forced and expires and tonumber(expires) > now then
  return { 'alive' }
end

-- keep_record stores what is known about the session. Damaged keys do no harm.
local function keep_record(worker)
  local term, heard = term_of(redis.pcall('HGET', TERMS, session))
  if term == 0 or not expires then
    heard = 0
  elseif not heard then
    heard = math.max(tonumber(expires) - term, 0)
  end
  local facts = string.match(worker or '', '^[^\n]+') or '{}'
  local held = redis.call('HLEN', SESSION) - redis.call('HEXISTS', SESSION, 'cancel')
  redis.pcall('ZADD', LOST, now, session .. string.format(' %.0f %d ', heard, held) .. facts)
  redis.pcall('ZREMRANGEBYRANK', LOST, 0, -1 - most)
  redis.pcall('ZREMRANGEBYSCORE', LOST, '-inf', now - kept)
  redis.pcall('PEXPIRE', LOST, kept)
end

local own = redis.call('HMGET', SESSION, 'fetch', 'info', 'busy', 'cancel')
redis.call('HDEL', SESSION, 'fetch', 'settle', 'info', 'busy', 'status')
if own[4] == '' then
  redis.call('HDEL', SESSION, 'cancel')
end
if own[1] then
  signal('o')
end
if own[1] and not forced then
  keep_record(own[2])
end
if redis.call('EXISTS', SESSION) == 0 then
  redis.call('ZREM', LEASES, session)
  redis.call('HDEL', TERMS, session)
  publish(ARGV[5])
  return { 'gone' }
end
redis.call('ZADD', LEASES, 0, session)
publish(ARGV[5])
return { 'closed', own[2] or '', own[3] or '' }
