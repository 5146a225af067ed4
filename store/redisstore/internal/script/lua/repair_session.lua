-- Mends a session: it must have a lease that can end, and fields that can be read.
-- Uses: arguments, clock.
-- KEYS  1 session, 2 leases, 3 terms
-- ARGV  session, dry run (1), lease in ms if its own is unknown, broken (1: its streams cannot be read, it is to be closed);
--       fields: n, (name, value as it was read, new value, '' for none) × n
-- Returns {leased (1), closed (1), positions, from 1, of the fields …}: what was mended, or would be
-- Repeat: absolute; a lease is given only to a session that has none. HDEL goes first so that it passes when memory is short.
local session, dry, lease, broken = arg(), num() == 1, num(), num() == 1
local reply = { 0, 0 }
if redis.call('EXISTS', KEYS[1]) == 0 then
  return reply
end
if not dry then
  redis.call('HDEL', KEYS[1], '')
end
for i = 1, num() do
  local name, seen, new = arg(), arg(), arg()
  if redis.call('HGET', KEYS[1], name) == seen then
    reply[#reply + 1] = i
    if dry then
    elseif new == '' then
      redis.call('HDEL', KEYS[1], name)
    else
      redis.call('HSET', KEYS[1], name, new)
    end
  end
end
local function sound(name)
  return string.match(redis.call('HGET', KEYS[1], name) or '', '^%d') ~= nil
end
local own = redis.call('HMGET', KEYS[1], 'fetch', 'settle', 'info', 'busy')
if broken and (own[1] or own[2] or own[3] or own[4]) and not (sound('fetch') and sound('settle')) then
  reply[2] = 1
  if not dry then
    redis.call('HDEL', KEYS[1], 'fetch', 'settle', 'info', 'busy')
    redis.call('HDEL', KEYS[3], session)
    redis.call('ZADD', KEYS[2], 0, session)
  end
elseif not redis.call('ZSCORE', KEYS[2], session) then
  reply[1] = 1
  if not dry then
    redis.call('ZADD', KEYS[2], now + math.abs(tonumber(redis.call('HGET', KEYS[3], session) or lease) or lease), session)
  end
end
return reply
