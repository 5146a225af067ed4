-- Uses: numbers, signals.
-- Each route with work has a ring, is listed, and its queue has a clock: the virtual time of
-- whoever was served last. A queue whose last route is forgotten loses its clock, and leaves its
-- time in the field LEAST, where the clocks of others begin: so whoever has a time of that queue is
-- not behind those who come later.
local LEAST = '/'
local function route_of(ring)
  return string.match(ring, '^{[^}]*}:ring:(.*)$')
end
local function signal_work(ring)
  signal('w:' .. route_of(ring))
end

-- enter puts a run into a ring, unless it is there, at its own virtual time in
-- the queue or the queue's clock, whichever is later: who comes back after a pause
-- gets no credit for it. keys: clock, routes.
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
