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

-- turn_back gives every lease and place the time that it had left when the clock was set back, or
-- else the dead would keep theirs for that much longer.
local function turn_back()
  local back = number_of(redis.call('HGET', FACTS, 'seen')) - now
  if back <= 0 then
    return
  end
  redis.call('HDEL', FACTS, '') -- first, so that it passes when memory is short
  redis.call('HSET', FACTS, 'seen', now)
  for _, key in ipairs({ HELD, LIVE }) do
    local all = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
    for i = 1, #all, 2 do
      redis.call('ZADD', key, string.format('%.0f', number_of(all[i + 1]) - back), all[i])
    end
  end
end

-- expire removes what timed out. It comes first in every script that writes, so that each
-- judges time alike; it removes first, so that it passes when memory is short.
local function expire()
  turn_back()
  for _, token in ipairs(redis.call('ZRANGEBYSCORE', HELD, '-inf', now)) do
    end_lease(token)
  end
  for _, token in ipairs(redis.call('ZRANGEBYSCORE', LIVE, '-inf', now)) do
    leave_line(token)
  end
end

-- forget_when_idle lets the keys go with the last lease and waiter. It comes last in every script
-- that wrote.
local function forget_when_idle()
  redis.call('HSET', FACTS, 'seen', now)
  local last = 0
  for _, key in ipairs({ HELD, LIVE }) do
    last = math.max(last, tonumber(redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')[2] or 0))
  end
  for _, key in ipairs({ FACTS, HELD, LINE, LIVE }) do
    redis.call('PEXPIREAT', key, string.format('%.0f', math.min(last, FAR)))
  end
end

-- first_score is the lowest score of a zset, or nil.
local function first_score(key)
  return tonumber(redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2])
end

-- has_turn reports whether a claim with so many ahead of it may have a place: one is free, and
-- would be for everybody ahead even after this claim took its own.
local function has_turn(mode, max, ahead)
  local taken = redis.call('ZCARD', HELD)
  if mode == 'x' then
    return taken + ahead == 0
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
  return true
end

-- signal_first tells the first in the line if it is its turn. Once served, it passes that on.
local function signal_first(key)
  local first = redis.call('ZRANGE', LINE, 0, 0, 'WITHSCORES')
  if first[1] then
    local limit, mode = string.match(redis.call('HGET', FACTS, 'w:' .. first[1]) or '', '^(%d+) %d+ (%a)')
    if has_turn(mode, tonumber(limit or 0), 0) then
      signal(string.format('s:%.0f:%s', tonumber(first[2]), key))
    end
  end
end
