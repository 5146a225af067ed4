-- Makes the list of a partition agree with what is there: the names of keys that are gone are
-- removed, and in a repair those of keys that are there are added.
-- Uses: arguments, audit.
-- KEYS  1 listed; then the key of each name; audit
-- ARGV  repair (1), dry run (1), the names, line of the audit or '', its run
-- Returns the positions, from 1, of the names that were added or removed, or would be
-- Repeat: absolute. ZREM is first, so that the script runs when memory is short.
local LISTED = KEYS[1]
local repair, dry = arg() == '1', arg() == '1'
local changed = {}
if not dry then
  redis.call('ZREM', LISTED, '')
end
for i = 2, #KEYS - 1 do
  local name = arg()
  local there = redis.call('EXISTS', KEYS[i]) == 1
  local listed = redis.call('ZSCORE', LISTED, name)
  if listed and not there then
    changed[#changed + 1] = i - 1
    if not dry then
      redis.call('ZREM', LISTED, name)
    end
  elseif repair and there and not listed then
    changed[#changed + 1] = i - 1
    if not dry then
      redis.call('ZADD', LISTED, 0, name)
    end
  end
end
if #changed > 0 then
  audit(arg(), arg())
end
return changed
