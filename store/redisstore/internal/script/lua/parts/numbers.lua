-- number_of reads a stored number. If it is not a number, or out of all bounds, it is damaged and
-- counts as 0.
local function number_of(v)
  local n = tonumber(v or 0)
  if n and n > -9007199254740992 and n < 9007199254740992 then
    return n
  end
  return 0
end

-- add_to adds to a stored number; a damaged one begins again at 0.
local function add_to(key, field, n)
  if type(redis.pcall('HINCRBY', key, field, n)) ~= 'number' then
    redis.call('HSET', key, field, n)
  end
end
