-- Uses: numbers.
-- grow_longest notes the length of the longest message of a run, for fetch to
-- bound its reply.
local function grow_longest(key, longest)
  if longest > number_of(redis.call('HGET', key, 'maxlen')) then
    redis.call('HSET', key, 'maxlen', longest)
  end
end
