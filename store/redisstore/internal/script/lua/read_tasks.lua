-- Reads tasks of a run where they wait, place by place, each from its back to its front.
-- Uses: arguments, large, numbers, places.
-- KEYS  1 run; places: lists and sorted sets
-- ARGV  how many to look at, and how many bytes to return, about; the ID of the one that is asked for ('' for all),
--       whether only if it is claimed; how many of the first place to pass over at its back; of each place its kind, as in places.lua, and its route
-- Returns {ok, places looked at to their end, how many of the next place were passed over, how many may still be looked at,
--       and how many bytes returned, {place from 0, how many of it were passed over with this one, message, score or ''} …}
-- Repeat: only reads.
local RUN = KEYS[1]
local left, bytes, id, claimed, passed = num(), num(), arg(), num() == 1, num()
local longest = number_of(redis.pcall('HGET', RUN, 'maxlen'))
local probe = id ~= '' and probe_of(id)
local found = {}

local places = #KEYS - 1
for place = 0, places - 1 do
  local kind, route = arg(), arg()
  local before, ended = passed, nil
  local short = kind == 'w' and longest > LARGE and short_in(RUN, route)
  -- Without an ID, all that is read is returned.
  local most = probe and READABLE or 2 * bytes
  passed, ended = look(kind, KEYS[place + 2], longest, passed, left, most, short, function(message, at, score)
    if probe and not has_id(message, start_of(kind, message), probe, claimed) then
      return false
    end
    found[#found + 1] = { place, at, message, score }
    bytes = bytes - #message
    return probe or bytes <= 0
  end)
  left = left - (passed - before)
  if not ended then
    return { 'ok', place, passed, left, bytes, found }
  end
  passed = 0
end
return { 'ok', places, 0, left, bytes, found }
