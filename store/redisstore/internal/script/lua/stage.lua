-- Stores a chunk of children of a running task.
-- Uses: arguments, numbers.
-- KEYS  1 session, 2 run, 3 stage, 4 staged list of plain children, 5 of those with a delay or a claimed ID
-- ARGV  lease field, name of the lists without their letter, offset, length of the longest message,
--       plain: n, message × n, special: n, message × n
-- Returns {ok}, {lost}, {stopped}, {there, n}: n are there instead of offset, which is a repeat, or some are lost
-- Repeat: the lists are longer than the offset, so the chunk is there. Children are counted only
--       when the parent succeeds.
local SESSION, RUN, STAGE, PLAIN, SPECIAL = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local field, name, offset, longest = arg(), arg(), num(), num()
if redis.call('HEXISTS', SESSION, field) == 0 or redis.call('HEXISTS', SESSION, 'settle') == 0 then
  return { 'lost' }
end
local state = redis.call('HGET', RUN, 'state')
if state ~= 'running' then
  return { state and 'stopped' or 'lost' }
end
local there = redis.call('LLEN', PLAIN) + redis.call('LLEN', SPECIAL)
if there ~= offset then
  return { 'there', there }
end
-- So the run is purged after its end. This removes children of a parent that never settled.
redis.call('HSETNX', RUN, 'litter', 1)
if longest > number_of(redis.call('HGET', RUN, 'maxlen')) then
  redis.call('HSET', RUN, 'maxlen', longest)
end
for i, letter in ipairs({ 'p', 'x' }) do
  local n = num()
  if n > 0 then
    redis.call('HSET', STAGE, letter .. name, 1)
    redis.call('RPUSH', KEYS[3 + i], unpack(ARGV, cursor + 1, cursor + n))
    cursor = cursor + n
  end
end
return { 'ok' }
