-- Uses: clock, numbers.
-- Shared by the scripts that write and read results of tasks. The hash results:R of a run has, for
-- each group SET/KIND, its results in a row of places:
--   :ID            "GROUP PLACE AT EXPIRY DATA": the result of a task, the time it was set, and when it
--                  expires in ms, or 0
--   @GROUP/PLACE   "NUMBER BYTES EXPIRY ID": which result is there. Number is its place among all of the run
--   #GROUP         "FIRST NEXT LEFT": the first place, the next one, and how many results are there: a
--                  place is empty if a later result of the same ID replaced it. A new group begins at the
--                  clock in µs, so no place of a group is used twice
-- groups, number and bytes have the names of the groups, the last number, and what all take. If stays
-- is set, a result has no expiry; otherwise the hash expires with the last one.
local RESULTS_BYTES, RESULT_COST = 16777216, 128 -- as the contract says

local function place_field(group, place)
  return string.format('@%s/%.0f', group, place)
end

-- result_group reads the row of a group.
local function result_group(key, name)
  local first, next, left = string.match(redis.call('HGET', key, '#' .. name) or '', '^(%d+) (%d+) (%d+)$')
  if not first then
    first = time[1] * 1000000 + time[2]
    return { name = name, first = first, next = first, left = 0 }
  end
  return { name = name, first = tonumber(first), next = tonumber(next), left = tonumber(left) }
end

-- open_results reads what is known of all results of a run.
local function open_results(key)
  local v = redis.call('HMGET', key, 'number', 'bytes', 'groups', 'stays')
  local rs = { key = key, number = number_of(v[1]), bytes = number_of(v[2]), names = {}, stays = v[4], groups = {} }
  for name in string.gmatch(v[3] or '', '%S+') do
    rs.names[#rs.names + 1] = name
    rs.groups[name] = result_group(key, name)
  end
  return rs
end
