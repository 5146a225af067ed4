-- Removes a job of which no run is left.
-- KEYS  1 job, 2 jobs, 3 starts, 4 due, 5 maps; the job's maps
-- ARGV  job
-- Returns {ok}, {missing}, {runs}: there are runs, {again}: there are other maps by now
-- Repeat: absolute.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return { 'missing' }
end
if redis.call('EXISTS', KEYS[3]) == 1 then
  return { 'runs' }
end
if redis.call('SCARD', KEYS[5]) ~= #KEYS - 5 then
  return { 'again' }
end
redis.call('DEL', KEYS[1])
redis.call('UNLINK', unpack(KEYS, 5))
redis.call('ZREM', KEYS[4], 'j:' .. ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return { 'ok' }
