-- Uses: clock, numbers.
-- Shared by the scripts that fail tasks. bury keeps the dead letter of a task of a run, with the
-- error: the first FailureCap / 2 of a run, and the newest. The score of a letter is its place, the
-- number of the failure in its run. The newest is always kept, so its place gives the next one. If
-- the key has a wrong type, the task still fails.
local function bury(run, key, letter, err)
  redis.pcall('HSET', run.key, 'error', err)
  local cap = number_of(redis.call('HGET', run.key, 'failcap'))
  local newest = redis.pcall('ZRANGE', key, -1, -1, 'WITHSCORES')
  if newest.err or cap < 1 then
    return
  end
  local place = (tonumber(newest[2]) or 0) + 1
  redis.call('ZADD', key, place, string.format('%.0f %.0f ', place, now) .. letter)
  local first = math.floor(cap / 2)
  redis.call('ZREMRANGEBYRANK', key, first, first - cap - 1)
end
