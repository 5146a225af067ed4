-- The ledger of a partition is a hash with a field for each figure of a route: e:ROUTE tasks that
-- were enqueued; and of attempts that ended: s:ROUTE successes, f:ROUTE failures, r:ROUTE retries,
-- o:ROUTE others. Depths are not in it: they are read where the tasks are. A script sums up what it
-- does and writes each figure once.
local tallies = {}
local function tally(figure, route, n)
  local name = figure .. route
  tallies[name] = (tallies[name] or 0) + n
end

-- write_ledger adds to the figures. Whoever makes a figure lists its route, so that the sweep can
-- forget it.
local function write_ledger(ledger, routes)
  for name, n in pairs(tallies) do
    if n ~= 0 then
      local sum = redis.pcall('HINCRBY', ledger, name, n)
      if type(sum) == 'table' then -- it is damaged
        sum = n
        redis.call('HSET', ledger, name, n)
      end
      if sum == n then
        redis.call('ZADD', routes, 0, string.sub(name, 3))
      end
    end
  end
end
