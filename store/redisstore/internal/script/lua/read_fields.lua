-- Reads fields of a hash: the first of the named ones, about PAGE_BYTES in all, but at least one.
-- Uses: pages.
-- KEYS  1 hash
-- ARGV  field …
-- Returns {ok, value …}, nothing for a field that is not there
-- Repeat: only reads.
local HASH = KEYS[1]
local size, n = 0, 0
for _, field in ipairs(ARGV) do
  size = size + redis.call('HSTRLEN', HASH, field)
  if n > 0 and size > PAGE_BYTES then
    break
  end
  n = n + 1
end
return { 'ok', unpack(redis.call('HMGET', HASH, unpack(ARGV, 1, n))) }
