-- Sets and deletes fields of a map of a job.
-- KEYS  1 job, 2 maps, 3 map
-- ARGV  name, n, (field, value) × n, m, field × m
-- Returns {ok}, {missing}
-- Repeat: absolute.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return { 'missing' }
end
local name, n = arg(), num()
for _ = 1, n do
  redis.call('HSET', KEYS[3], arg(), arg())
end
if n > 0 then
  redis.call('SADD', KEYS[2], name)
end
for _ = 1, num() do
  redis.call('HDEL', KEYS[3], arg())
end
if redis.call('EXISTS', KEYS[3]) == 0 then
  redis.call('SREM', KEYS[2], name)
end
return { 'ok' }
