-- Puts lanes that stand aside back into their turns, because a limit has changed: the next fetches
-- check whether their runs may go on.
-- Uses: arguments, numbers, rings, signals.
-- KEYS  1 clock, then rings
-- ARGV  channel, how many at most, queue of each ring
-- Returns {ok, how many}
-- Repeat: absolute. ZREM is first, so that the script runs when memory is short.
local CLOCK = KEYS[1]
local channel, most, moved = arg(), num(), 0
for i = 2, #KEYS do
  local queue = arg()
  local aside = redis.call('ZRANGEBYSCORE', KEYS[i], '+inf', '+inf', 'LIMIT', 0, most - moved)
  if #aside > 0 then
    local clock = number_of(redis.call('HGET', CLOCK, queue))
    redis.call('ZREM', KEYS[i], unpack(aside))
    for _, id in ipairs(aside) do
      redis.call('ZADD', KEYS[i], clock, id)
    end
    moved = moved + #aside
    signal_work(KEYS[i])
  end
end
publish(channel)
return { 'ok', moved }
