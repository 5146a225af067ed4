-- Uses: clock, numbers, signals.
-- end_at lists in due when a run ends. It signals if nothing is due before that.
local function end_at(due, name, at)
  redis.call('ZADD', due, at, name)
  if redis.call('ZRANGE', due, 0, 0)[1] == name then
    signal('d')
  end
end

-- end_when_idle makes an open run end after this time without an enqueue. In due the run is i:R; a
-- worker that promotes calls end_idle.
local function end_when_idle(due, id, after)
  end_at(due, 'i:' .. id, now + number_of(after))
end
