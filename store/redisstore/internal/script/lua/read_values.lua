-- Reads the types and sizes of values, and when they expire, without their data.
-- Uses: arguments, clock, values.
-- KEYS  1 run or job that they belong to, or a key that never exists; then the values
-- ARGV  job of a run, '-' for a job, '' for the namespace
-- Returns {missing}: there is no such run or job; {ok, now, {letter or '', size, ms left or negative …}, {counter of the run, size …}}
-- Repeat: only reads.
local OWNER = KEYS[1]
local job = arg()
local counters = {}
if job == '-' then
  if redis.call('EXISTS', OWNER) == 0 then
    return { 'missing' }
  end
elseif job ~= '' then
  if redis.call('HGET', OWNER, 'job') ~= job then
    return { 'missing' }
  end
  for _, field in ipairs(redis.call('HKEYS', OWNER)) do
    if string.sub(field, 1, 2) == 'c:' then
      counters[#counters + 1] = string.sub(field, 3)
      counters[#counters + 1] = redis.call('HSTRLEN', OWNER, field)
    end
  end
end
local values = {}
for i = 2, #KEYS do
  local key = KEYS[i]
  local letter, size = type_at(key) or '', 0
  if letter == 'l' then
    size = redis.call('LLEN', key)
  elseif letter == 'm' then
    size = redis.call('HLEN', key) - 1
  elseif letter ~= '' and letter ~= '?' then
    size = redis.call('HSTRLEN', key, 'value')
  end
  local n = #values
  values[n + 1], values[n + 2], values[n + 3] = letter, size, redis.call('PTTL', key)
end
return { 'ok', now, values, counters }
