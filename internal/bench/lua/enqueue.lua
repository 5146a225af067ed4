-- The bare minimum of an enqueue: push a batch, count it.
-- KEYS 1 list, 2 counts; ARGV message …
redis.call('RPUSH', KEYS[1], unpack(ARGV))
redis.call('HINCRBY', KEYS[2], 'pending', #ARGV)
return #ARGV
