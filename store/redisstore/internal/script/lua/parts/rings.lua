-- Uses: numbers, signals.
-- Each route with work has a ring and is listed. Its queue has a clock: the virtual time of the run
-- that was served last. When the last route of a queue is removed, the clock is removed, too, and
-- its time goes to the field LEAST, where new clocks begin. So a run with a virtual time of that
-- queue is not behind later runs.
local LEAST = '/'
local function route_of(ring)
  return string.match(ring, '^{[^}]*}:ring:(.*)$')
end
local function signal_work(ring)
  signal('w:' .. route_of(ring))
end

-- enter puts a run into a ring, unless it is there: at its own virtual time in the queue, or at the
-- queue's clock if that is later. So a run gets no credit for a pause. keys: clock, routes.
local function enter(ring, keys, run, queue)
  if run.paused then
    return
  end
  local mine = number_of(redis.call('HGET', run.key, 'v:' .. queue))
  local all = redis.call('HMGET', keys.clock, queue, LEAST)
  if redis.call('ZADD', ring, 'NX', math.max(mine, number_of(all[1] or all[2])), run.id) == 1 then
    if not all[1] then
      redis.call('HSET', keys.clock, queue, all[2] or 0)
    end
    redis.call('ZADD', keys.routes, 0, route_of(ring))
    signal_work(ring)
  end
end
