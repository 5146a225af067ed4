-- Removes keys of a wrong type, and keys of a run or session that is gone.
-- Uses: audit.
-- KEYS  1 record to which the orphans belong, then keys, audit
-- ARGV  dry run (1), then for each key its type, or several, or '' if it is an orphan; line of the audit or '', its run
-- Returns the positions, from 1, of the keys that were removed, or would be
-- Repeat: absolute.
local OWNER = KEYS[1]
local dry, orphaned, hit = ARGV[1] == '1', redis.call('EXISTS', OWNER) == 0, {}
for i = 2, #KEYS - 1 do
  local have, want = redis.call('TYPE', KEYS[i]).ok, ARGV[i]
  local right = string.find(' ' .. want .. ' ', ' ' .. have .. ' ', 1, true)
  if have ~= 'none' and (want == '' and orphaned or want ~= '' and not right) then
    hit[#hit + 1] = i - 1
    if not dry then
      redis.call('UNLINK', KEYS[i])
    end
  end
end
if #hit > 0 then
  audit(ARGV[#KEYS], ARGV[#KEYS + 1])
end
return hit
