-- Applies a batch of writes to values, one by one.
-- Uses: arguments, streams, values.
-- KEYS  1 producer record; then by index: per write its owner (run or job), the value and the owner's names
-- ARGV  number, ttl, grows (1: a write may take memory), writes: n, (owner or 0, job of a run or '', write as in values.lua) × n
-- Returns {word, record}: ok and "number word,word,…", of the first time if it is a repeat; a word is ok, ok:SUM, no (not
--       swapped), missing (no such owner), full, type:LETTER, range, corrupt. unknown (no such producer), stale (a lower number)
-- Repeat: the record holds the last number with its reply; the same number answers it again. Where memory is short a batch that grows
--       is refused by its first write; one that only removes begins with a write that takes none, and passes.
local PRODUCER = KEYS[1]
local number, ttl, grows = num(), arg(), num()
local record = redis.call('GET', PRODUCER)
local early = answered(record, number, 'unknown')
if early then
  redis.call('PEXPIRE', PRODUCER, ttl)
  return early
end
if grows == 1 then
  redis.call('SET', PRODUCER, record, 'PX', ttl)
else
  redis.call('PEXPIRE', PRODUCER, ttl)
end
-- owned returns what is wrong with the owner of a value, a job or the run of a job; nil if nothing
-- is.
local function owned(owner, job)
  if job == '' then
    return redis.call('EXISTS', owner) == 0 and 'missing' or nil
  end
  local found = redis.pcall('HGET', owner, 'job')
  if type(found) == 'table' then
    return 'corrupt' -- of a wrong type: the other writes are not affected
  end
  return found ~= job and 'missing' or nil
end

-- many_counters returns whether a run has the largest number of counters.
local function many_counters(run)
  local n = 0
  if redis.call('HLEN', run) >= MAX_VALUES then
    for _, field in ipairs(redis.call('HKEYS', run)) do
      n = n + (string.sub(field, 1, 2) == 'c:' and 1 or 0)
    end
  end
  return n >= MAX_VALUES
end

-- count applies a write to a counter of a run. The counter is a field of the run's hash; tasks add
-- to it with their success.
local function count(w)
  local field = 'c:' .. w.name
  if w.op == 'delete' then
    redis.call('HDEL', w.key, field)
  elseif redis.call('HEXISTS', w.key, field) == 0 and many_counters(w.key) then
    return 'full'
  elseif w.op == 'add' then
    return add_integer(w, field)
  else
    redis.call('HSET', w.key, field, ARGV[w.last])
  end
  return 'ok'
end

local words = {}
for i = 1, num() do
  local owner, job = KEYS[num()], arg()
  local w = next_write()
  words[i] = owner and owned(owner, job) or w.type == 'r' and count(w) or refusal(w) or write(w)
end
record = string.format('%.0f %s', number, table.concat(words, ','))
redis.call('SET', PRODUCER, record, 'PX', ttl)
return { 'ok', record }
