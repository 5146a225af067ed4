-- Parks a chunk of children of a running task.
-- KEYS  1 session, 2 run, 3 stage, 4 staged list
-- ARGV  lease field, name of the staged list in stage, offset, length of the longest message, message …
-- Returns {ok}, {lost}, {stopped}, {gap}
-- Repeat: the list is longer than the offset, so the chunk is there. Nothing is counted before the parent succeeds.
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 or redis.call('HEXISTS', KEYS[1], 'settle') == 0 then
  return { 'lost' }
end
local state = redis.call('HGET', KEYS[2], 'state')
if state ~= 'running' then
  return { state and 'stopped' or 'lost' }
end
local length, offset = redis.call('LLEN', KEYS[4]), tonumber(ARGV[3])
if length > offset then
  return { 'ok' }
elseif length < offset then
  return { 'gap' }
end
redis.call('HSET', KEYS[3], ARGV[2], 1)
grow_longest(KEYS[2], tonumber(ARGV[4]))
redis.call('RPUSH', KEYS[4], unpack(ARGV, 5))
return { 'ok' }
