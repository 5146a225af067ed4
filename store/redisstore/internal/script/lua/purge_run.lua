-- Removes a slice of what a finished run left behind. It first checks that the run has not changed
-- since it was read: a server that lost acknowledged writes may have the run active again.
-- Uses: arguments.
-- KEYS  1 run, 2 trash, 3 due, 4 kept; rings; keys that are removed
-- ARGV  run, its end as it was read, '' for none; 1 for the last slice; number of rings; what may be in due: n, name × n;
--       buckets of IDs that may be in kept: n, name × n
-- Returns {ok}, {active}: it has not ended, {moved}: it has changed
-- Repeat: absolute; the last slice removes the entry in trash. No write needs memory.
local RUN, TRASH, DUE, KEPT = unpack(KEYS)
local id, ended, last, rings = arg(), arg(), num(), num()
local v = redis.pcall('HMGET', RUN, 'state', 'ended') -- a run with a missing or damaged record has nothing left to lose
local state = v[1]
if state and state ~= 'succeeded' and state ~= 'failed' and state ~= 'stopped' and state ~= 'skipped' then
  redis.call('ZREM', TRASH, id)
  return { 'active' }
elseif (v[2] or '') ~= ended then
  return { 'moved' }
end
local first = 5 + rings
for i = 5, first - 1 do
  redis.call('ZREM', KEYS[i], id)
end
for _ = 1, num() do
  redis.call('ZREM', DUE, arg())
end
for _ = 1, num() do
  redis.call('ZREM', KEPT, arg())
end
if #KEYS >= first then
  redis.call('UNLINK', unpack(KEYS, first))
end
if last == 1 then
  redis.call('ZREM', TRASH, id)
end
return { 'ok' }
