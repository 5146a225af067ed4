-- Uses: clock, signals.
-- Shared by the scripts of limits.
-- KEYS  1 account: level and at (tokens of the rate, and as of when), seen (when something was last drawn),
--       h:HOLDER → 'NUMBER HELD WANT SINCE ENDS TOKENS UNTIL';
--       since is when the holder began to want more than it holds, in µs, or 0; ends is until when
--       it counts as alive
local ACCOUNT = KEYS[1]

-- keep_entry writes the entry of a holder.
local function keep_entry(e)
  local entry = string.format('%.0f %d %d %.0f %.0f %d %.0f', e.number, e.held, e.want, e.since, e.ends, e.tokens, e.void)
  redis.call('HSET', ACCOUNT, 'h:' .. e.holder, entry)
end

-- open_account reads the account: the entries of the holders by name, level and at, and whether the
-- clock was set back. If it was, every time is moved back, too: otherwise dead holders would keep
-- their permits longer.
local function open_account()
  local entries, facts = {}, {}
  local all = redis.call('HGETALL', ACCOUNT)
  for i = 1, #all, 2 do
    local holder = string.match(all[i], '^h:(.*)$')
    local number, held, want, since, ends, tokens, void = string.match(all[i + 1], '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
    if holder and void then
      entries[holder] = {
        holder = holder, number = tonumber(number), held = tonumber(held), want = tonumber(want), since = tonumber(since),
        ends = tonumber(ends), tokens = tonumber(tokens), void = tonumber(void),
      }
    elseif not holder then
      local n = tonumber(all[i + 1])
      facts[all[i]] = n and n - n == 0 and n or nil
    end
  end
  local back = math.max(0, (facts.seen or 0) - now)
  for _, e in pairs(entries) do
    e.ends, e.void = math.max(0, e.ends - back), math.max(0, e.void - back)
  end
  return entries, facts.level, facts.at and facts.at - back, back > 0
end

-- wake_rivals signals holders that want what is free: first those below their share, and of these
-- the one that has waited longest.
local function wake_rivals(limit, entries, free, share)
  local waiting = {}
  for _, e in pairs(entries) do
    if e.ends > now and e.want > e.held then
      e.owed = math.max(0, math.min(e.want, share) - e.held)
      waiting[#waiting + 1] = e
    end
  end
  table.sort(waiting, function(a, b)
    if (a.owed > 0) ~= (b.owed > 0) then
      return a.owed > 0
    elseif a.since ~= b.since then
      return a.since < b.since
    end
    return a.holder < b.holder
  end)
  for _, e in ipairs(waiting) do
    if free < 1 then
      return
    end
    signal('l:' .. e.holder .. ':' .. limit)
    free = free - math.max(1, e.owed)
  end
end
