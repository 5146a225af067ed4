-- Uses: arguments.
-- Shared by the scripts that write, read and remove values.
--
-- A value is a key of its own. A list is a list. Everything else is a hash with the field "type";
-- the value of a counter, float, time or value is its field "value", a field F of a map its field
-- ":F". The letters of types are c, f, t, v, l, m. A counter of a run is no such key but a field of
-- the run's hash, and its letter is r: only write_values and read_value see one.
--
-- A write has the form: value, names (indexes of KEYS), name, type, op, expiry in ms or 0, n,
-- argument × n. Names is the set of the names of a run's or job's values. In the namespace it is the
-- list of the partition, and its index is negative.
local MAX_VALUES = 1000 -- of a run or job, as the contract says

local function next_write()
  local w = { key = KEYS[num()], names = num(), name = arg(), type = arg(), op = arg(), expiry = num(), n = num() }
  w.names, w.listed = KEYS[w.names], KEYS[-w.names]
  w.first, w.last = cursor + 1, cursor + w.n
  cursor = w.last
  return w
end

local types = {} -- by key: the letter of the stored type; false if there is none, '?' if no write can have stored it
local function type_at(key)
  if types[key] == nil then
    local stored = redis.call('TYPE', key).ok
    if stored == 'none' then
      types[key] = false
    elseif stored == 'list' then
      types[key] = 'l'
    else
      types[key] = stored == 'hash' and redis.call('HGET', key, 'type') or '?'
    end
  end
  return types[key]
end

-- refusal returns why a write cannot be applied; nil if it can. Fresh is how many new values the
-- writes before it make.
local function refusal(w, fresh)
  local have = type_at(w.key)
  if have == '?' then
    return w.op ~= 'delete' and 'corrupt' or nil
  elseif have and have ~= w.type then
    return 'type:' .. have
  elseif not have and w.names and w.op ~= 'delete' and w.op ~= 'remove' and redis.call('SCARD', w.names) + (fresh or 0) >= MAX_VALUES then
    return 'full'
  end
end

-- next_writes reads n, write × n. If one of them cannot be applied, it returns which one, and why.
local function next_writes()
  local writes, bad, fresh = {}, nil, 0
  for i = 1, num() do
    writes[i] = next_write()
    local why = not bad and refusal(writes[i], fresh)
    if why then
      bad = i .. ':' .. why
    end
    if not type_at(writes[i].key) and (i == 1 or writes[i].key ~= writes[i - 1].key) then
      fresh = fresh + 1
    end
  end
  return writes, bad
end

local operations = {}

-- (field, value) × n
function operations.set(w)
  redis.call('HSET', w.key, 'type', w.type, unpack(ARGV, w.first, w.last))
  return 'ok'
end

local function plus(a, b)
  return a + b
end

-- sum_of adds the number of a write to a field; nil if the field is not a number.
local function sum_of(w, field)
  local numeric, sum = pcall(plus, redis.call('HGET', w.key, field) or '0', ARGV[w.first])
  return numeric and sum or nil
end

-- add_integer adds to a field and returns the word for the result. Redis adds, because its integers
-- have 64 bits, and numbers of Lua 53; a sum far out of range is refused here.
local function add_integer(w, field)
  local sum = sum_of(w, field)
  if not sum then
    return 'corrupt'
  elseif sum > 9.3e18 or sum < -9.3e18 then
    return 'range'
  end
  local added = redis.pcall('HINCRBY', w.key, field, ARGV[w.first])
  if type(added) == 'table' and added.err then
    return string.find(added.err, 'overflow', 1, true) and 'range' or 'corrupt'
  end
  return 'ok:' .. redis.call('HGET', w.key, field)
end

-- number
function operations.add(w)
  if w.type == 'c' then
    local word = add_integer(w, 'value')
    if string.sub(word, 1, 2) == 'ok' then
      redis.call('HSET', w.key, 'type', 'c')
    end
    return word
  end
  local sum = sum_of(w, 'value')
  if not sum then
    return 'corrupt'
  elseif sum - sum ~= 0 then -- it is infinite
    return 'range'
  end
  redis.call('HSET', w.key, 'type', 'f', 'value', string.format('%.17g', sum))
  return 'ok:' .. redis.call('HGET', w.key, 'value')
end

-- field, expected (1: a value, 0: nothing), what, value
function operations.swap(w)
  local field, some, expected = ARGV[w.first], ARGV[w.first + 1], ARGV[w.first + 2]
  local had = redis.call('HGET', w.key, field)
  if some == '1' and had ~= expected or some == '0' and had then
    return 'no'
  end
  redis.call('HSET', w.key, 'type', w.type, field, ARGV[w.last])
  return 'ok'
end

-- cap or 0, item × n
function operations.append(w)
  local cap, last = tonumber(ARGV[w.first]), w.last
  if cap > 0 then
    last = math.min(last, w.first + cap - redis.call('LLEN', w.key))
  end
  if last > w.first then
    redis.call('RPUSH', w.key, unpack(ARGV, w.first + 1, last))
  end
  return 'ok'
end

-- field × n
function operations.remove(w)
  if type_at(w.key) then
    redis.call('HDEL', w.key, unpack(ARGV, w.first, w.last))
    if redis.call('HLEN', w.key) == 1 then
      return operations.delete(w)
    end
  end
  return 'ok'
end

function operations.delete(w)
  redis.call('UNLINK', w.key)
  return 'ok'
end

-- note and forget keep the names of the values that are there.
local function note(w)
  if w.names then
    redis.call('SADD', w.names, w.name)
  elseif w.listed then
    redis.call('ZADD', w.listed, 0, 'v/' .. w.name)
  end
end

local function forget(w)
  if w.names then
    redis.call('SREM', w.names, w.name)
  elseif w.listed then
    redis.call('ZREM', w.listed, 'v/' .. w.name)
  end
end

-- write applies a write that was not refused, and returns the word for its result.
local function write(w)
  local had = type_at(w.key)
  local word = operations[w.op](w)
  types[w.key] = nil
  if not had or w.op == 'delete' or w.op == 'remove' then
    local have = type_at(w.key)
    if have and not had then
      note(w)
    elseif not have and (had or w.names) then
      forget(w)
    end
  else
    types[w.key] = had
  end
  if w.expiry > 0 and string.sub(word, 1, 2) == 'ok' then
    redis.call('PEXPIRE', w.key, w.expiry)
  end
  return word
end
