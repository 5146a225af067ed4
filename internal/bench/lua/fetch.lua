-- The bare minimum of a fetch: pop a batch, lease it under fields never used again, count it.
-- KEYS 1 list, 2 counts, 3 leases; ARGV number, want
local messages = redis.call('LPOP', KEYS[1], ARGV[2])
if not messages then
  return {}
end
local fields = {}
for i, message in ipairs(messages) do
  fields[2 * i - 1] = ARGV[1] .. '.' .. i
  fields[2 * i] = message
end
redis.call('HSET', KEYS[3], unpack(fields))
redis.call('HINCRBY', KEYS[2], 'pending', -#messages)
redis.call('HINCRBY', KEYS[2], 'running', #messages)
return messages
