-- Uses: clock, numbers.
-- Shared by the scripts that fail tasks. bury keeps the dead letter of a task of a run, with the
-- error: the first FailureCap / 2 of a run, and the newest. The score of a letter is its place: how
-- many failures the run has had, with this one, which run.failed already counts. The field redone
-- counts those that were retried or discarded since. So a place is never used again. The run goes
-- to the front of those that keep failures. If the key has a wrong type, the task still fails.
local function bury(run, key, failing, letter, err)
  redis.pcall('HSET', run.key, 'error', err)
  local facts = redis.call('HMGET', run.key, 'failcap', 'redone')
  local cap = number_of(facts[1])
  local newest = redis.pcall('ZRANGE', key, -1, -1, 'WITHSCORES')
  if newest.err or cap < 1 then
    return
  end
  local place = math.max((tonumber(newest[2]) or 0) + 1, run.failed + number_of(facts[2]))
  redis.call('ZADD', key, place, string.format('%.0f %.0f ', place, now) .. letter)
  local first = math.floor(cap / 2)
  redis.call('ZREMRANGEBYRANK', key, first, first - cap - 1)
  redis.call('ZADD', failing, now, run.id)
end
