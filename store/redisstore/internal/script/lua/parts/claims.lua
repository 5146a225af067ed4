-- Uses: clock.
-- end_claim keeps the claimed ID of a task that has ended for its time in ms, in its bucket;
-- without a time it is free. In kept a bucket has a name.
local function end_claim(ids, kept, digest, keep, bucket)
  if keep > 0 then
    redis.call('ZADD', ids, now + keep, digest)
    redis.call('ZADD', kept, 'GT', now + keep, bucket)
  else
    redis.call('ZREM', ids, digest)
  end
end
