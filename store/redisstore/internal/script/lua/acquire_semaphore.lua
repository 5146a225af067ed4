-- Takes a place of a semaphore if it is the claim's turn; otherwise a place in the line.
-- Uses: arguments, clock, numbers, semaphore, signals.
-- KEYS  as in semaphore.lua; 5 meta, 6 listed
-- ARGV  channel, key of the semaphore, token, holder, max, ttl in ms, mode, wait in ms (0: no place in the line), random number
-- Returns {ok, now, lease, expires}, {wait, now, next or 0, ahead, place or 0, (lease, expires) …} of the
--       64 leases that end first
-- A lease is granted also when memory is short, because the script removes something first. A place
-- in the line is kept, but no new one is given.
-- Repeat: for the token of a held lease it returns the lease; the token of a waiter keeps its
--       place.
local META, LISTED = KEYS[5], KEYS[6]
local channel, key, token, holder, max, ttl, mode, wait, start = arg(), arg(), arg(), arg(), num(), num(), arg(), num(), num()
expire()
local mine = redis.call('HGET', FACTS, 'l:' .. token)
if mine then
  return { 'ok', now, mine, redis.call('ZSCORE', HELD, token) }
end

-- next_number returns a number above all earlier ones of leases and waiters of the partition. The
-- last number stays when a semaphore is removed, so a clock that goes back does no harm.
local function next_number()
  local last = number_of(redis.call('HGET', META, 'fence'))
  local n = string.format('%.0f', math.max(last + 1, time[1] * 1000000 + time[2]))
  redis.call('HSET', META, 'fence', n)
  return n
end

local stamp = string.format('%.0f', now)
local rank = redis.call('ZRANK', LINE, token)
local ahead = rank or redis.call('ZCARD', LINE)
local turn, taken = has_turn(mode, max, ahead)
if turn then
  local slot = start % max
  for _ = 1, max do
    if redis.call('HEXISTS', FACTS, 's:' .. slot) == 0 then
      break
    end
    slot = (slot + 1) % max
  end
  leave_line(token)
  local lease = table.concat({ slot, next_number(), stamp, mode, holder }, ' ')
  local expires = string.format('%.0f', now + ttl)
  redis.call('HSET', FACTS, 'l:' .. token, lease, 's:' .. slot, token)
  redis.call('ZADD', HELD, expires, token)
  if taken == 0 then -- the first lease of the semaphore; a place in the line comes only behind one
    redis.call('ZADD', LISTED, 0, 's/' .. key)
  end
  forget_when_idle()
  signal_first(key)
  publish(channel)
  return { 'ok', now, lease, expires }
end

local place = 0
if wait > 0 then
  local since = stamp
  place = redis.call('ZSCORE', LINE, token)
  if place then
    redis.call('ZREM', LIVE, token) -- first, so that a place is kept when memory is short
    since = string.match(redis.call('HGET', FACTS, 'w:' .. token) or '', '^%d+ (%d+)') or stamp
  else
    place = next_number()
    redis.call('ZADD', LINE, place, token)
  end
  redis.call('HSET', FACTS, 'w:' .. token, table.concat({ max, since, mode, holder }, ' '))
  redis.call('ZADD', LIVE, string.format('%.0f', now + wait), token)
  forget_when_idle()
end
local lease_ends, place_ends = first_score(HELD), first_score(LIVE)
local reply = { 'wait', now, math.min(lease_ends or place_ends or 0, place_ends or lease_ends or 0), ahead, place }
local held = redis.call('ZRANGE', HELD, 0, 63, 'WITHSCORES')
for i = 1, #held, 2 do
  reply[#reply + 1] = redis.call('HGET', FACTS, 'l:' .. held[i])
  reply[#reply + 1] = held[i + 1]
end
return reply
