-- Sets or clears the flag that keeps a declared job from starting.
-- KEYS  1 job
-- ARGV  disabled (1)
-- Returns {ok}, {missing}
-- Repeat: absolute.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return { 'missing' }
end
if ARGV[1] == '1' then
  redis.call('HSET', KEYS[1], 'disabled', 1)
else
  redis.call('HDEL', KEYS[1], 'disabled')
end
return { 'ok' }
