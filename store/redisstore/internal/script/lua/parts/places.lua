-- Uses: large.
-- Tasks of a run wait in places: waiting lists (w), other lists (l), lists of staged children with
-- the due time in front (x), and sorted sets (z). Each is read from its back to its front, some messages at a time.
--
-- A server reads a mebibyte in about a millisecond, and takes 20 µs to get to the middle of a
-- million tasks. So what is read is bounded by the longest message that can be there: one script
-- reads at most READABLE bytes, and begins no more reads after a quarter of them.
local READABLE = 9437184
local reads, readable = 128, READABLE

-- read_place returns up to n messages in the order of the place, behind those that were passed at
-- its back, and the score of each. A place of another type has none.
local function read_place(kind, key, passed, n)
  local first, last = -passed - n, -passed - 1
  if kind ~= 'z' then
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

-- look calls each with the messages of a place behind those that were passed, from back to front,
-- with how many are passed with this one, and its score. It looks at up to so many of them, and
-- ends early if each returns true. It returns how many are passed, and whether it came to the end.
-- most is how many bytes it needs at most; short is of large.lua, for a waiting list.
local function look(kind, key, longest, passed, left, most, short, each)
  longest = longest > 0 and longest or READABLE / 8
  while left > 0 and reads > 0 and readable > READABLE * 3 / 4 do
    local bytes = math.min(readable, most)
    local n = math.max(1, math.floor(bytes / longest), short and math.min(short(passed), math.floor(bytes / LARGE)) or 0)
    n = math.min(n, left)
    local messages, scores = read_place(kind, key, passed, n)
    reads = reads - 1
    for i = #messages, 1, -1 do
      passed, left, readable = passed + 1, left - 1, readable - #messages[i]
      if each(messages[i], passed, scores[i] or '') then
        return passed, false
      end
    end
    if #messages < n then
      return passed, true
    end
  end
  return passed, false
end

-- start_of is where the message of an entry begins.
local function start_of(kind, entry)
  return kind == 'x' and (string.find(entry, ' ', 1, true) or 0) + 1 or 1
end

-- probe_of is an ID as a message has it: its length as a uvarint, and the ID.
local function probe_of(id)
  local n = #id
  if n < 128 then
    return string.char(n) .. id
  end
  return string.char(n % 128 + 128, math.floor(n / 128)) .. id
end

-- has_id compares the ID of a message with a probe, and with claimed, whether it is claimed. Before
-- it come the version, the flags, and the time of the enqueue as a uvarint. It returns where the
-- message goes on, or nothing.
local find = string.find
local function has_id(message, from, probe, claimed)
  if not find(message, probe, from, true) or claimed and (string.byte(message, from + 1) or 0) % 2 == 0 then
    return
  end
  local at = from + 2
  while (string.byte(message, at) or 0) >= 128 do
    at = at + 1
  end
  local after = at + 1 + #probe
  if string.sub(message, at + 1, after - 1) == probe then
    return after
  end
end
