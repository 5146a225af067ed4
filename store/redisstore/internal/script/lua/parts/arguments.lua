-- arg and num read ARGV as a stream.
local cursor = 0
local function arg()
  cursor = cursor + 1
  return ARGV[cursor]
end
local function num()
  cursor = cursor + 1
  return tonumber(ARGV[cursor])
end
