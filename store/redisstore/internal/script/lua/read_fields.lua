-- Reads fields of a hash: the first of those named that have about PAGE_BYTES in all, at least one.
-- Uses: pages.
-- KEYS  1 hash
-- ARGV  field …
-- Returns {ok, value …}, nothing for a field that is not there
-- Repeat: only reads.
local size, n = 0, 0
for _, field in ipairs(ARGV) do
  size = size + redis.call('HSTRLEN', KEYS[1], field)
  if n > 0 and size > PAGE_BYTES then
    break
  end
  n = n + 1
end
return { 'ok', unpack(redis.call('HMGET', KEYS[1], unpack(ARGV, 1, n))) }
