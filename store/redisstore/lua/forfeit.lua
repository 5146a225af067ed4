-- Takes the permits of a holder that is silent since the call with the number.
-- KEYS  as in limit.lua
-- ARGV  channel, limit, holder, number
-- Returns {ok}
-- Repeat: finds it gone.
local channel, limit, holder, number = arg(), arg(), arg(), num()
local entries = open_account()
local e = entries[holder]
if e and e.number == number and e.ends <= now then
  redis.call('HDEL', ACCOUNT, 'h:' .. holder)
  entries[holder] = nil
  wake_rivals(limit, entries, e.held, 1)
  publish(channel)
end
return { 'ok' }
