-- Uses: numbers.
-- pauses_version returns the version of the pauses in a partition; 0 if nothing is paused.
local function pauses_version(key)
  if redis.call('EXISTS', key) == 0 then
    return 0
  end
  return math.max(1, number_of(redis.call('HGET', key, 'version')))
end
