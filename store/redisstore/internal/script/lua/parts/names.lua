-- name_positions puts prefix .. i .. suffix into a table for each whole i from first (0 or more) to
-- last: at index at, and then at every step-th index. It returns the next index. It is most of
-- Lua's work for a task. Lua formats numbers with printf, so this is done only for every tenth
-- number.
local DIGITS = { [0] = '0', '1', '2', '3', '4', '5', '6', '7', '8', '9' }
local function name_positions(names, at, step, prefix, first, last, suffix)
  local ones = first % 10
  for i = first - ones, last, 10 do
    local tens = prefix
    if i > 0 then
      tens = prefix .. i / 10
    end
    for digit = ones, math.min(9, last - i) do
      names[at] = tens .. DIGITS[digit] .. suffix
      at = at + step
    end
    ones = 0
  end
  return at
end
