-- Uses: arguments.
-- owns reads n, name × n and returns n if these are all values of an owner, nil if not.
local function owns(names)
  local n = num()
  local all = redis.call('SCARD', names) == n
  for _ = 1, n do
    all = redis.call('SISMEMBER', names, arg()) == 1 and all
  end
  return all and n or nil
end
