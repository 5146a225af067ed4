-- Stores what a holder keeps and wants of a limit, and gives it what it may have.
-- Uses: arguments, clock, limit, signals.
-- KEYS  as in limit.lua
-- ARGV  channel, limit, holder, number, ttl in ms, max, keep, want, events, per in ms, burst, tokens, unused, used in ms or 0, ms until tokens are void,
--       longest time in ms that a bucket takes to fill
-- Returns {ok, now, held, reuse, wanted (1), tokens, void or 0, next or 0, {silent holder, number} …}, {stale}
-- Repeat: the entry of the holder has the last number and what it got; the same number gets the
--       same reply. HDEL is first, so that the script runs when memory is short.
local channel, limit, holder, number, ttl = arg(), arg(), arg(), num(), num()
local max, keep, want = num(), num(), num()
local events, per, burst, tokens, unused, used, valid, max_fill = num(), num(), num(), num(), num(), num(), num(), num()
local function fill_time(n)
  return math.min(math.ceil(n * per / events), max_fill)
end
local entries, level, at, turned_back = open_account()
local me = entries[holder]
if me and number < me.number then
  return { 'stale' }
end
local repeated = me and number == me.number
me = me or { holder = holder, held = 0, want = 0, since = 0, tokens = 0, void = 0 }
entries[holder] = nil

-- What the others have and want. A silent holder keeps its permits, but wants nothing.
local others, lent, first_void, rivals, silent, gone = 0, 0, nil, {}, {}, {}
local latest = 0
-- Holders whose tokens have expired since the last read of the bucket. They used room until then.
local voided = {}
local function counts(e)
  return e.tokens > 0 and e.void > (at or 0)
end
if counts(me) and me.void <= now then
  voided[1] = me
end
for name, e in pairs(entries) do
  if e.void > now then
    lent = lent + e.tokens
    first_void = math.min(first_void or e.void, e.void)
  end
  if counts(e) and e.void <= now then
    voided[#voided + 1] = e
  end
  others = others + e.held
  latest = math.max(latest, e.since)
  if e.ends > now then
    if e.want > 0 then
      rivals[#rivals + 1] = e
    end
  elseif e.held > 0 then
    silent[#silent + 1] = name
    silent[#silent + 1] = string.format('%.0f', e.number)
  elseif e.void <= now and not (events > 0 and counts(e)) then
    gone[#gone + 1] = 'h:' .. name
    entries[name] = nil
  end
end
local wanting = #rivals
if (repeated and me.want or want) > 0 then
  wanting = wanting + 1
end
local share = math.max(1, math.floor(max / math.max(1, wanting)))
local owed, ahead, wanted = 0, 0, 0
for _, e in ipairs(rivals) do
  local debt = math.max(0, math.min(e.want, share) - e.held)
  owed = owed + debt
  if e.want > e.held then
    wanted = 1
    if me.since == 0 or e.since < me.since then
      ahead = ahead + debt
    end
  end
end

local newly = false
if not repeated then
  me.number = number
  -- Up to its share, the order of waiting decides. Beyond it, a holder gets only what no other
  -- lacks.
  want = math.max(want, keep)
  local free = max - others - keep
  local take = math.max(0, math.min(math.min(want, share) - keep, free - ahead))
  take = take + math.max(0, math.min(want - keep - take, free - take - owed))
  me.held, me.want = keep + take, want
  if max == 0 then
    me.held, me.want = keep, keep
  end
  if me.want <= me.held then
    me.since = 0
  elseif me.since == 0 then
    newly = true
    me.since = math.max(latest + 1, time[1] * 1000000 + time[2])
  end
end
local free = max - others - me.held
local reuse = me.held
if max > 0 and (owed > free or free < 0) then
  local fair = 0
  if max >= wanting then
    fair = share
  end
  reuse = math.min(me.held, math.max(fair, max - others - owed))
end

-- Lent tokens use room in the bucket until their holder reports them, or they expire. So in any
-- period no more are spent than the burst and what the rate adds.
local next = 0
if events > 0 and not repeated then
  level, at = level or burst, at or now
  local function refill(t, out)
    if t > at then
      level, at = level + (t - at) * events / per, t
    end
    level = math.min(level, burst - out)
  end
  local out = lent
  for _, e in ipairs(voided) do
    out = out + e.tokens
  end
  if me.void > now then
    out = out + me.tokens
  end
  table.sort(voided, function(a, b)
    return a.void < b.void
  end)
  for _, e in ipairs(voided) do -- they may have been spent right before
    refill(e.void, out)
    out = out - e.tokens
  end
  if me.tokens > 0 and me.void > now then
    local back = math.min(unused, me.tokens)
    if used > 0 then
      refill(math.min(used, now), lent + me.tokens)
    else
      refill(now, lent + me.tokens)
    end
    refill(now, lent + back)
    level = math.min(level + back, burst - lent)
  end
  refill(now, lent)
  me.tokens = math.max(0, math.min(tokens, math.floor(level + 1e-9)))
  me.void = now + valid
  level = level - me.tokens
  if me.tokens < tokens and burst - lent >= 1 then
    next = now + fill_time(1 - level)
  elseif me.tokens < tokens then
    next = first_void
  end
elseif not repeated then
  me.tokens, me.void = 0, 0
end

me.ends = now + ttl
redis.call('HDEL', ACCOUNT, '', unpack(gone))
keep_entry(me)
redis.call('HSET', ACCOUNT, 'seen', now)
for _, e in pairs(turned_back and entries or {}) do
  keep_entry(e)
end
if events > 0 and not repeated then
  redis.call('HSET', ACCOUNT, 'level', string.format('%.17g', level), 'at', string.format('%.17g', at))
end
if others + me.held > 0 then
  redis.call('PERSIST', ACCOUNT)
else
  local idle = ttl
  local void = math.max(me.void, now)
  for _, e in pairs(entries) do
    idle = math.max(idle, e.ends - now)
    void = math.max(void, e.void)
  end
  if events > 0 then
    idle = math.max(idle, void - now + fill_time(burst))
  end
  redis.call('PEXPIRE', ACCOUNT, string.format('%.0f', idle))
end
wake_rivals(limit, entries, free, share)
if newly then
  for name, e in pairs(entries) do
    if e.held > 0 and e.ends > now then
      signal('l:' .. name .. ':' .. limit)
    end
  end
end
publish(channel)
return { 'ok', now, me.held, reuse, wanted, me.tokens, me.void, next, silent }
