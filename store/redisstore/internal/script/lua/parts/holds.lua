-- Uses: arguments, audit, clock, ends, idle.
-- The holds of the script enqueue, and its line in the audit.
local audit_line, audit_run, did_change = arg(), arg(), false
keys.hist, keys.trash, keys.index, keys.exact = KEYS[6], KEYS[7], KEYS[8], true

-- open_holds reads the changes of the holds of a run, and opens holds, unless one differs from its
-- guard. A hold is "since mark", or "since" without a mark. It returns whether one differs, and
-- which are to be closed.
local function open_holds(run, key)
  local moved, closes = false, {}
  for _ = 1, num() do
    local name, mark = arg(), arg()
    local held = run and redis.call('HGET', key, name)
    moved = moved or run and (not held or string.match(held, '^%d+ ?(.*)$') ~= mark)
  end
  for _ = 1, num() do
    local name, mark = arg(), arg()
    if run and not moved then
      if redis.call('HSETNX', key, name, now) == 1 then
        run.holds = run.holds + 1
        run.opened = run.opened or name == 'open'
      end
      if mark ~= '' then
        redis.call('HSET', key, name, string.match(redis.call('HGET', key, name), '^%d*') .. ' ' .. mark)
      end
    end
  end
  for i = 1, num() do
    closes[i] = arg()
  end
  return moved, closes
end

-- close_holds closes holds of a run that had so many tasks before the call.
local function close_holds(run, base, closes, before)
  local closed = false
  for _, name in ipairs(closes) do
    if redis.call('HDEL', KEYS[base + 2], name) == 1 then
      run.holds = run.holds - 1
      closed = true
      if name == 'open' then
        run.opened = false
        redis.call('ZREM', keys.due, 'i:' .. run.id)
      end
    end
  end
  did_change = did_change or closed or run.total ~= before
  if closed then
    keys.post, keys.ring = KEYS[base + 3], KEYS[base + 4]
    maybe_end(run, keys)
  end
  if run.sealafter and run.opened then
    end_when_idle(keys.due, run.id, run.sealafter)
  end
end

local function audit_change()
  if did_change then
    audit(audit_line, audit_run)
  end
end
