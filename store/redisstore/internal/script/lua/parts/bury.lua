-- Uses: clock, numbers.
-- Shared by the scripts that fail tasks. bury keeps the dead letter of a task of a run, and what
-- went wrong: of all that failed, the first FailureCap / 2, and the newest. A letter's score is its
-- place, which failure of its run it is; the newest is always kept, so that its place tells the
-- next one. A key of another type is no reason to keep the task.
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
