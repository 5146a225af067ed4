-- The bare minimum of a settlement: redeem the leases that are held, count them.
-- KEYS 1 counts, 2 leases; ARGV field …
local n = redis.call('HDEL', KEYS[2], unpack(ARGV))
redis.call('HINCRBY', KEYS[1], 'running', -n)
redis.call('HINCRBY', KEYS[1], 'succeeded', n)
return n
