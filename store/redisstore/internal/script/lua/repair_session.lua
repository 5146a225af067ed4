-- Fixes a session: it must have a lease that can end, and fields that can be read.
-- Uses: arguments, audit, clock, terms.
-- KEYS  1 session, 2 leases, 3 terms, 4 audit
-- ARGV  session, dry run (1), lease in ms if its own is unknown, broken (1: its streams cannot be read, it is to be closed);
--       fields: n, (name, value as it was read, new value, '' for none) × n; line of the audit or '', its run
-- Returns {leased (1), closed (1), positions, from 1, of the fields …}: what was fixed, or would be
-- Repeat: absolute; a lease is given only to a session that has none. HDEL is first, so that the script runs when memory is short.
local SESSION, LEASES, TERMS = KEYS[1], KEYS[2], KEYS[3]
local session, dry, lease, broken = arg(), num() == 1, num(), num() == 1
local reply = { 0, 0 }
if redis.call('EXISTS', SESSION) == 0 then
  return reply
end
if not dry then
  redis.call('HDEL', SESSION, '')
end
for i = 1, num() do
  local name, seen, new = arg(), arg(), arg()
  if redis.call('HGET', SESSION, name) == seen then
    reply[#reply + 1] = i
    if dry then
    elseif new == '' then
      redis.call('HDEL', SESSION, name)
    else
      redis.call('HSET', SESSION, name, new)
    end
  end
end
local function sound(name)
  return string.match(redis.call('HGET', SESSION, name) or '', '^%d') ~= nil
end
local own = redis.call('HMGET', SESSION, 'fetch', 'settle', 'info', 'busy')
if broken and (own[1] or own[2] or own[3] or own[4]) and not (sound('fetch') and sound('settle')) then
  reply[2] = 1
  if not dry then
    redis.call('HDEL', SESSION, 'fetch', 'settle', 'info', 'busy', 'status')
    redis.call('HDEL', TERMS, session)
    redis.call('ZADD', LEASES, 0, session)
  end
elseif not redis.call('ZSCORE', LEASES, session) then
  reply[1] = 1
  if not dry then
    local term = term_of(redis.call('HGET', TERMS, session))
    if term > 0 then
      redis.call('HSET', TERMS, session, string.format('%.0f 0', term)) -- when it was heard from is not known
    end
    redis.call('ZADD', LEASES, now + (term > 0 and term or lease), session)
  end
end
if #reply > 2 or reply[1] + reply[2] > 0 then
  audit(arg(), arg())
end
return reply
