-- number_of reads a stored number. What is none, or is out of all bounds, is damage and counts as
-- 0.
local function number_of(v)
  local n = tonumber(v or 0)
  if n and n > -9007199254740992 and n < 9007199254740992 then
    return n
  end
  return 0
end

-- add_to adds to a stored number; one that is damaged begins anew.
local function add_to(key, field, n)
  if type(redis.pcall('HINCRBY', key, field, n)) ~= 'number' then
    redis.call('HSET', key, field, n)
  end
end
