-- Narrows down where in some waiting lists of a run the tasks begin that were enqueued later than a time. The tasks stand about in
-- that order, so it halves what is left of a list at each step.
-- Uses: arguments, places.
-- KEYS  1 run; lists
-- ARGV  time in ms; per list: how many tasks at its back are later, how many may be, -1 for all
-- Returns {ok, {how many are later, how many may be} …}: a list is done if both are the same
-- Repeat: only reads.
local time = num()

-- enqueued is when the task of a message was enqueued: a uvarint behind the version and the flags.
local function enqueued(message)
  local value, scale, at, byte = 0, 1, 3, 0
  repeat
    byte = string.byte(message, at) or 0
    value, scale, at = value + byte % 128 * scale, scale * 128, at + 1
  until byte < 128
  return value
end

local found = {}
for i = 2, #KEYS do
  local later, most = num(), num()
  if most < 0 then
    most = redis.pcall('LLEN', KEYS[i])
    most = type(most) == 'number' and most or 0
  end
  while later < most and reads > 0 and readable > READABLE * 3 / 4 do
    local middle = math.floor((later + most) / 2)
    local message = redis.pcall('LINDEX', KEYS[i], -middle - 1)
    reads = reads - 1
    if type(message) ~= 'string' then
      most = middle
    else
      readable = readable - #message
      if enqueued(message) > time then
        later = middle + 1
      else
        most = middle
      end
    end
  end
  found[i - 1] = { later, most }
end
return { 'ok', unpack(found) }
