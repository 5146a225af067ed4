-- Reads a page of the failures of a run.
-- Uses: arguments, pages.
-- KEYS  1 run, 2 dead letters
-- ARGV  place after which they begin, place before which they end or 'inf', the newest first (1), limit
-- Returns {missing}, {ok, failure …}: fewer than limit where they are large
-- Repeat: only reads.
local RUN, DEAD = KEYS[1], KEYS[2]
local from, to, newest, limit = '(' .. arg(), '(' .. arg(), num() == 1, num()
if redis.call('EXISTS', RUN) == 0 then
  return { 'missing' }
end
return { 'ok', unpack((page(limit, PAGE_BYTES, nil, function(read, n)
  if newest then
    return redis.call('ZRANGE', DEAD, to, from, 'BYSCORE', 'REV', 'LIMIT', read, n)
  end
  return redis.call('ZRANGEBYSCORE', DEAD, from, to, 'LIMIT', read, n)
end))) }
