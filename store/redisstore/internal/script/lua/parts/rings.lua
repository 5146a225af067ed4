-- Uses: numbers, signals.
-- enter puts a run into a ring, unless it is there, at its own virtual time in
-- the queue or the queue's clock, whichever is later: who comes back after a pause
-- gets no credit for it.
local function signal_work(ring)
  signal('w:' .. string.match(ring, '^{[^}]*}:ring:(.*)$'))
end
local function enter(ring, clock, run, queue)
  if run.paused then
    return
  end
  local mine = number_of(redis.call('HGET', run.key, 'v:' .. queue))
  local all = number_of(redis.call('HGET', clock, queue))
  if redis.call('ZADD', ring, 'NX', math.max(mine, all), run.id) == 1 then
    signal_work(ring)
  end
end
