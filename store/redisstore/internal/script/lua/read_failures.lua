-- Reads a page of the failures of a run.
-- Uses: arguments, pages.
-- KEYS  1 run, 2 dead letters
-- ARGV  place after which they begin, limit
-- Returns {missing}, {ok, failure …}: fewer than limit where they are large
-- Repeat: only reads.
local RUN, DEAD = KEYS[1], KEYS[2]
local after, limit = num(), num()
if redis.call('EXISTS', RUN) == 0 then
  return { 'missing' }
end
return { 'ok', unpack((page(limit, PAGE_BYTES, nil, function(read, n)
  return redis.call('ZRANGEBYSCORE', DEAD, string.format('(%.0f', after), '+inf', 'LIMIT', read, n)
end))) }
