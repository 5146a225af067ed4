-- Takes the permits of a holder if the call with this number was its last. Its entry stays while
-- its lent tokens count.
-- Uses: arguments, clock, limit, signals.
-- KEYS  as in limit.lua
-- ARGV  channel, limit, holder, number
-- Returns {ok}
-- Repeat: finds no holder, or one without permits.
local channel, limit, holder, number = arg(), arg(), arg(), num()
local entries, _, at = open_account()
local e = entries[holder]
if e and e.number == number and e.ends <= now then
  local held = e.held
  redis.call('HDEL', ACCOUNT, 'h:' .. holder)
  entries[holder] = nil
  if e.tokens > 0 and e.void > (at or 0) then
    e.held, e.want, e.since = 0, 0, 0
    keep_entry(e)
  elseif not next(entries) then
    redis.call('HDEL', ACCOUNT, 'seen')
  end
  wake_rivals(limit, entries, held, 1)
  publish(channel)
end
return { 'ok' }
