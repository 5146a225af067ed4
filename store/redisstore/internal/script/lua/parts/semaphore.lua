-- Uses: clock, numbers, signals.
-- Shared by the scripts of semaphores.
-- KEYS  1 facts, 2 held, 3 line, 4 live
--   facts  hash: l:TOKEN → 'SLOT FENCE ACQUIRED MODE HOLDER' of a lease, s:SLOT → token,
--          w:TOKEN → 'MAX SINCE MODE HOLDER' of a waiter; a mode is 'x' (exclusive) or 's' (shared);
--          seen → when something was last granted, extended or ended
--   held   zset: token → when its lease ends
--   line   zset: waiter's token → its number
--   live   zset: waiter's token → until when it keeps its place
local FACTS, HELD, LINE, LIVE = KEYS[1], KEYS[2], KEYS[3], KEYS[4]

local function end_lease(token)
  redis.call('ZREM', HELD, token)
  local lease = redis.call('HGET', FACTS, 'l:' .. token) or ''
  redis.call('HDEL', FACTS, 'l:' .. token, 's:' .. string.match(lease, '^%d*'))
end

local function leave_line(token)
  redis.call('ZREM', LINE, token)
  redis.call('ZREM', LIVE, token)
  redis.call('HDEL', FACTS, 'w:' .. token)
end

-- turn_back moves the end of every lease and place back with the clock: otherwise dead holders
-- would keep theirs longer.
local function turn_back()
  local back = number_of(redis.call('HGET', FACTS, 'seen')) - now
  if back <= 0 then
    return
  end
  redis.call('HDEL', FACTS, '') -- first, so that the script runs when memory is short
  redis.call('HSET', FACTS, 'seen', now)
  for _, key in ipairs({ HELD, LIVE }) do
    local all = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
    for i = 1, #all, 2 do
      redis.call('ZADD', key, string.format('%.0f', number_of(all[i + 1]) - back), all[i])
    end
  end
end

-- expire removes leases and places whose time has passed. Every script that writes calls it first,
-- so that all treat time in the same way. It begins with a removal, so that the script runs when
-- memory is short.
local function expire()
  turn_back()
  for _, token in ipairs(redis.call('ZRANGEBYSCORE', HELD, '-inf', now)) do
    end_lease(token)
  end
  for _, token in ipairs(redis.call('ZRANGEBYSCORE', LIVE, '-inf', now)) do
    leave_line(token)
  end
end

-- forget_when_idle makes the keys expire with the last lease and waiter. Every script that wrote
-- calls it last. It returns whether they are gone now.
local function forget_when_idle()
  redis.call('HSET', FACTS, 'seen', now)
  local last = 0
  for _, key in ipairs({ HELD, LIVE }) do
    last = math.max(last, tonumber(redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')[2] or 0))
  end
  for _, key in ipairs({ FACTS, HELD, LINE, LIVE }) do
    redis.call('PEXPIREAT', key, string.format('%.0f', math.min(last, FAR)))
  end
  return last == 0
end

-- first_score returns the lowest score of a zset, or nil.
local function first_score(key)
  return tonumber(redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2])
end

-- has_turn returns whether a claim may have a place if this many waiters are ahead: there must be a
-- free place for the claim, and for each of them. If it may, it also returns how many leases are held.
local function has_turn(mode, max, ahead)
  local taken = redis.call('ZCARD', HELD)
  if mode == 'x' then
    return taken + ahead == 0, taken
  end
  if taken == 1 then -- an exclusive lease is always the only one
    local lease = redis.call('HGET', FACTS, 'l:' .. redis.call('ZRANGE', HELD, 0, 0)[1]) or ''
    if string.match(lease, '^%d+ %d+ %d+ (%a)') == 'x' then
      return false
    end
  end
  if taken + ahead >= max then
    return false
  end
  for i = 1, ahead do
    local waiter = redis.call('ZRANGE', LINE, i - 1, i - 1)[1]
    local limit, kind = string.match(redis.call('HGET', FACTS, 'w:' .. waiter) or '', '^(%d+) %d+ (%a)')
    if kind == 'x' or taken + i >= tonumber(limit or 0) then
      return false
    end
  end
  return true, taken
end

-- signal_first signals the first waiter in the line if it is its turn. When it is served, the next
-- one is signalled.
local function signal_first(key)
  local first = redis.call('ZRANGE', LINE, 0, 0, 'WITHSCORES')
  if first[1] then
    local limit, mode = string.match(redis.call('HGET', FACTS, 'w:' .. first[1]) or '', '^(%d+) %d+ (%a)')
    if has_turn(mode, tonumber(limit or 0), 0) then
      signal(string.format('s:%.0f:%s', tonumber(first[2]), key))
    end
  end
end
