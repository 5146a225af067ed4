-- The hash of a run counts, by route, the delayed tasks that wait for another attempt: y:ROUTE. Their
-- messages have the highest bit of their second byte; see codec.go. note_retrying adds those among
-- some messages, times n.
local function note_retrying(run, route, messages, n)
  local found = 0
  for _, message in ipairs(messages) do
    if (string.byte(message, 2) or 0) >= 128 then
      found = found + 1
    end
  end
  local left = found > 0 and redis.pcall('HINCRBY', run.key, 'y:' .. route, n * found)
  if left and (type(left) ~= 'number' or left <= 0) then -- none, or it was damaged
    redis.call('HDEL', run.key, 'y:' .. route)
  end
end
