-- Reads a page of the failures of a run.
-- KEYS  1 run, 2 dead letters
-- ARGV  offset, limit
-- Returns {missing}, {ok, failure …}: fewer than limit where they are large
-- Repeat: only reads.
local from, limit = num(), num()
if redis.call('EXISTS', KEYS[1]) == 0 then
  return { 'missing' }
end
return { 'ok', unpack((page(limit, PAGE_BYTES, nil, function(read, n)
  return redis.call('LRANGE', KEYS[2], string.format('%.0f', from + read), string.format('%.0f', from + read + n - 1))
end))) }
