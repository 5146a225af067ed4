-- Uses: numbers.
-- pauses_version is the version of what is paused in a partition; 0 if nothing is.
local function pauses_version(key)
  if redis.call('EXISTS', key) == 0 then
    return 0
  end
  return math.max(1, number_of(redis.call('HGET', key, 'version')))
end
