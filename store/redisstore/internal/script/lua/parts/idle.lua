-- Uses: clock, numbers, signals.
-- end_when_idle makes an open run end after this time without an enqueue. In due the run is i:R; a
-- worker that promotes calls end_idle. It signals if nothing is due before that.
local function end_when_idle(due, id, after)
  local name = 'i:' .. id
  redis.call('ZADD', due, now + number_of(after), name)
  if redis.call('ZRANGE', due, 0, 0)[1] == name then
    signal('d')
  end
end
