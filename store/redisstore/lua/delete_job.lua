-- Removes a job of which no run is left.
-- KEYS  1 job, 2 jobs, 3 starts
-- ARGV  job
-- Returns {ok}, {missing}, {runs}: there are runs
-- Repeat: absolute.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return { 'missing' }
end
if redis.call('EXISTS', KEYS[3]) == 1 then
  return { 'runs' }
end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return { 'ok' }
