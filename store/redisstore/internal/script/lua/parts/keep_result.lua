-- Uses: arguments, clock, results.

-- drop_result removes the result at a place, if one is there.
local function drop_result(rs, g, place)
  local field = place_field(g.name, place)
  local bytes, id = string.match(redis.call('HGET', rs.key, field) or '', '^%d+ (%d+) %d+ (.*)$')
  if id then
    redis.call('HDEL', rs.key, field, ':' .. id)
    rs.bytes = rs.bytes - bytes
    g.left = g.left - 1
  end
  if place == g.first then
    g.first = place + 1
  end
end

-- oldest finds the first result of a group. It returns its number and its expiry, or nothing.
local function oldest(rs, g)
  while g.first < g.next do
    local number, expiry = string.match(redis.call('HGET', rs.key, place_field(g.name, g.first)) or '', '^(%d+) %d+ (%d+) ')
    if number then
      return tonumber(number), tonumber(expiry)
    end
    g.first = g.first + 1
  end
  g.left = 0
end

-- drop_expired removes the first results of a group, as long as their time is over.
local function drop_expired(rs, g)
  local number, expiry = oldest(rs, g)
  while number and expiry > 0 and expiry <= now do
    drop_result(rs, g, g.first)
    number, expiry = oldest(rs, g)
  end
end

-- drop_oldest removes the oldest result of the run; false if there is none.
local function drop_oldest(rs)
  local from, lowest
  for _, g in pairs(rs.groups) do
    local number = oldest(rs, g)
    if number and (not lowest or number < lowest) then
      from, lowest = g, number
    end
  end
  if from then
    drop_result(rs, from, from.first)
  end
  return from
end

-- put_result adds a result at the end of its group. The one before of the same ID goes.
local function put_result(rs, g, id, age, data)
  local group, place = string.match(redis.call('HGET', rs.key, ':' .. id) or '', '^(%S+) (%d+) ')
  if group and rs.groups[group] then
    drop_result(rs, rs.groups[group], tonumber(place))
  end
  local expiry, bytes = age > 0 and now + age or 0, #id + #data + RESULT_COST
  rs.number, rs.bytes = rs.number + 1, rs.bytes + bytes
  redis.call('HSET', rs.key, place_field(g.name, g.next), string.format('%.0f %d %.0f %s', rs.number, bytes, expiry, id),
    ':' .. id, string.format('%s %.0f %.0f %.0f ', g.name, g.next, now, expiry) .. data)
  g.next, g.left = g.next + 1, g.left + 1
end

-- save_results stores the rows of the groups. A group without a result is forgotten.
local function save_results(rs)
  local names = {}
  for name, g in pairs(rs.groups) do
    if g.left > 0 then
      names[#names + 1] = name
      redis.call('HSET', rs.key, '#' .. name, string.format('%.0f %.0f %d', g.first, g.next, g.left))
    else
      redis.call('HDEL', rs.key, '#' .. name)
    end
  end
  table.sort(names)
  redis.call('HSET', rs.key, 'number', rs.number, 'bytes', rs.bytes, 'groups', table.concat(names, ' '))
end

-- keep_result reads the result of a task and adds it: key, 0 for no result; then group, ID, age in
-- ms or 0, number or 0, data. Results that are too old, too many or too large together go.
local function keep_result()
  local key = KEYS[num()]
  if not key then
    return
  end
  local name, id, age, number, data = arg(), arg(), num(), num(), arg()
  local rs = open_results(key)
  local g = rs.groups[name] or result_group(key, name)
  rs.groups[name] = g
  put_result(rs, g, id, age, data)
  while number > 0 and g.left > number and oldest(rs, g) do
    drop_result(rs, g, g.first)
  end
  for _, other in pairs(rs.groups) do
    drop_expired(rs, other)
  end
  while rs.bytes > RESULTS_BYTES and drop_oldest(rs) do
  end
  save_results(rs)
  if age == 0 and not rs.stays then
    redis.call('HSET', key, 'stays', 1)
    redis.call('PERSIST', key)
  elseif not rs.stays and redis.call('PTTL', key) < age then
    redis.call('PEXPIRE', key, age)
  end
end
