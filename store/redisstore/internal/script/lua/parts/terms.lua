-- Uses: numbers.
-- term_of returns the length of a session's lease in ms. If a sweep has extended the lease, it also
-- returns when the session was last heard from, or 0 if that is not known: "TERM" or "TERM HEARD".
local function term_of(v)
  local term, heard = string.match(type(v) == 'string' and v or '', '^(%d+) ?(%d*)$')
  return number_of(term), tonumber(heard)
end
