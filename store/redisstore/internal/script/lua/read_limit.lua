-- Reads the account of a limit.
-- Uses: clock, limit.
-- KEYS  as in limit.lua
-- ARGV  none
-- Returns {now, {holder, held, want, since or 0, ends, tokens, void} …}
-- Repeat: only reads.
local reply = { now }
for holder, e in pairs((open_account())) do
  local n = #reply
  reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4] = holder, e.held, e.want, string.format('%.0f', e.since)
  reply[n + 5], reply[n + 6], reply[n + 7] = e.ends, e.tokens, e.void
end
return reply
