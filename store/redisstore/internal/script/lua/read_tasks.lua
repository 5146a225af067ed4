-- Reads tasks of a run where they wait, place by place, each from its back to its front.
-- Uses: arguments, numbers, pages.
-- KEYS  1 run; places: lists and sorted sets
-- ARGV  how many to look at, and how many bytes to return, about; what is in each message that is asked for ('' for all);
--       how many of the first place to pass over at its back; type of each place: l or z
-- Returns {ok, places looked at to their end, how many of the next place were passed over, how many may still be looked at,
--       and how many bytes returned, {place from 0, how many of it were passed over with this one, message, score or ''} …}
-- Repeat: only reads.
-- A server reads a mebibyte in about a millisecond, and takes 20 µs to get to the middle of a million tasks. So what is
-- read is bounded by the longest message of the run.
local RUN = KEYS[1]
local left, bytes, probe, passed = num(), num(), arg(), num()
local longest = number_of(redis.pcall('HGET', RUN, 'maxlen'))
local reads, readable, found = 128, 4 * PAGE_BYTES, {}
if longest <= 0 then
  longest = PAGE_BYTES
end

-- read returns up to n messages of a place in the order of the place, and the score of each. A place
-- of another type has none.
local function read(kind, key, n)
  local first, last = -passed - n, -passed - 1
  if kind == 'l' then
    local messages = redis.pcall('LRANGE', key, first, last)
    return messages.err and {} or messages, {}
  end
  local pairs = redis.pcall('ZRANGE', key, first, last, 'WITHSCORES')
  local messages, scores = {}, {}
  for i = 1, #pairs, 2 do
    messages[#messages + 1], scores[#scores + 1] = pairs[i], pairs[i + 1]
  end
  return messages, scores
end

-- look reads on in a place, and reports whether it came to the end.
local function look(place, kind, key)
  while left > 0 and bytes > 0 and reads > 0 and readable > 0 do
    local n = math.max(1, math.min(left, math.floor(math.min(readable, probe == '' and 2 * bytes or readable) / longest)))
    local messages, scores = read(kind, key, n)
    reads = reads - 1
    for i = #messages, 1, -1 do
      local message = messages[i]
      passed, left, readable = passed + 1, left - 1, readable - #message
      if probe == '' or string.find(message, probe, 1, true) then
        found[#found + 1] = { place, passed, message, scores[i] or '' }
        bytes = bytes - #message
        if bytes <= 0 then
          return false
        end
      end
    end
    if #messages < n then
      return true
    end
    if readable < longest then
      readable = 0
    end
  end
  return false
end

local places = #KEYS - 1
for place = 0, places - 1 do
  if not look(place, arg(), KEYS[place + 2]) then
    return { 'ok', place, passed, left, bytes, found }
  end
  passed = 0
end
return { 'ok', places, 0, left, bytes, found }
