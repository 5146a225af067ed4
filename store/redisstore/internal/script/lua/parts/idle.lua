-- Uses: clock, numbers, signals.
-- end_when_idle has an open run ended when nothing was enqueued into it for so long: in due it is
-- i:R, and whoever promotes calls end_idle. It signals if nothing is due before that.
local function end_when_idle(due, id, after)
  local name = 'i:' .. id
  redis.call('ZADD', due, now + number_of(after), name)
  if redis.call('ZRANGE', due, 0, 0)[1] == name then
    signal('d')
  end
end
