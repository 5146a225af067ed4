-- Removes a job of which no run is left.
-- Uses: arguments, owned.
-- KEYS  1 job, 2 jobs, 3 starts, 4 due, 5 names of its values; its values
-- ARGV  job; names of its values: n, name × n
-- Returns {ok}, {missing}, {runs}: there are runs, {again}: there are other values by now
-- Repeat: absolute.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return { 'missing' }
end
if redis.call('EXISTS', KEYS[3]) == 1 then
  return { 'runs' }
end
local job = arg()
if not owns(KEYS[5]) then
  return { 'again' }
end
redis.call('DEL', KEYS[1])
redis.call('UNLINK', unpack(KEYS, 5))
redis.call('ZREM', KEYS[4], 'j:' .. job)
redis.call('ZREM', KEYS[2], job)
return { 'ok' }
