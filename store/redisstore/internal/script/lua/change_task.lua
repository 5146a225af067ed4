-- Looks for a task of a run in some places, and cancels or reschedules it there.
-- Uses: arguments, asked, audit, claims, clock, ends, large, places, retrying, runs, signals.
-- KEYS  1 run, 2 clock, 3 due, 4 hist, 5 trash, 6 routes, 7 kept, 8 lanes, 9 and 10 waiting list and ring of the post-job lane,
--       11 bucket of the ID, 12 index, 13 what became of its task; per place: place, W, U, M and ring of its lane; audit
-- ARGV  channel, line of the audit, run, ID, whether only if it is claimed, its digest, name of the bucket, how long a cancellation is kept in ms, cancel (1), or else when it is due in ms,
--       '' for now, how many to look at, how many of the first place to pass over at its back;
--       per place: kind, route, field, marker. Kinds are as in places.lua, and h: a session that holds the task under the field;
--       r: the run, as the root task waits in it. The marker is that of a staged list.
-- Returns {ok, places looked at to their end, how many of the next place were passed over, how many may still be looked at,
--       change: '' if it was not found, cancelled, requested, rescheduled, not delayed}, {missing}
-- Repeat: the task leaves its place once; a request and a due time are absolute. What was cancelled is kept for a time, so that
--       the caller finds it. HDEL is first, so that the script runs when memory is short.
local RUN, DUE, KEPT, BUCKET, CANCELLED = KEYS[1], KEYS[3], KEYS[7], KEYS[11], KEYS[13]
local PLACE, WAITING, RECOVERED, MARKERS, RING = 0, 1, 2, 3, 4 -- behind the base of a place
local keys = {
  clock = KEYS[2], due = DUE, hist = KEYS[4], trash = KEYS[5], routes = KEYS[6], lanes = KEYS[8], post = KEYS[9], ring = KEYS[10], index = KEYS[12], exact = true,
}
local channel, line, id, task, claimed, digest, bucket, keeps = arg(), arg(), arg(), arg(), num() == 1, arg(), arg(), arg()
local cancel, due, left, passed = num() == 1, arg(), num(), num()
local probe, change, changed = probe_of(task), '', false
local run = open_run(RUN, id)
if not run then
  return { 'missing' }
end

local function uvarint(message, at)
  local value, scale = 0, 1
  while true do
    local byte = string.byte(message, at) or 0
    at = at + 1
    value = value + byte % 128 * scale
    if byte < 128 then
      return value, at
    end
    scale = scale * 128
  end
end

-- cancelled counts the task of a message, which goes on behind its ID at a position. If its ID is
-- claimed, it is free, or kept for its time. A staged child claims its ID when it is activated.
local function cancelled(place, message, from, at, staged)
  run[place] = run[place] - 1
  run.cancelled = run.cancelled + 1
  local flags, keep = string.byte(message, from + 1), 0
  if flags % 2 == 1 then
    if math.floor(flags / 4) % 2 == 1 then
      for _ = 1, 3 do
        keep, at = uvarint(message, at)
      end
    end
    keep = math.floor(flags / 8) % 2 == 1 and uvarint(message, at) or 0
    if not staged or keep > 0 and not redis.call('ZSCORE', BUCKET, digest) then
      end_claim(BUCKET, KEPT, digest, keep, bucket)
    end
  end
  change, changed = 'cancelled', true
end

-- remove takes a task out of a list; so many stand behind it. The last one moves to its place. An
-- empty lane leaves its ring, as it does when a fetch takes its last task.
local function remove(base, behind, marker, kind, route)
  local place = KEYS[base + PLACE]
  local last = redis.call('RPOP', place)
  if behind > 0 then
    redis.call('LSET', place, -behind, last)
  end
  if kind == 'w' then
    note_moved(run, route, last, behind)
  end
  if marker ~= '' and redis.call('EXISTS', place) == 0 then
    redis.call('LREM', KEYS[base + MARKERS], 1, marker)
  end
  if redis.call('EXISTS', KEYS[base + WAITING], KEYS[base + RECOVERED], KEYS[base + MARKERS]) == 0 then
    redis.call('ZREM', KEYS[base + RING], id)
  end
end

-- put changes a delayed task, and what tells when its lane has one that is due.
local function put(base, route, message, from, at)
  local place, name = KEYS[base + PLACE], id .. '/' .. route
  if cancel then
    redis.call('ZREM', place, message)
    note_retrying(run, route, { message }, -1)
    cancelled('delayed', message, from, at)
  else
    -- LT: a task that is due already stays as it is.
    changed = (due == '' and redis.call('ZADD', place, 'LT', 'CH', now, message) or redis.call('ZADD', place, 'CH', due, message)) == 1
    change = 'rescheduled'
  end
  local first = redis.call('ZRANGE', place, 0, 0, 'WITHSCORES')
  if first[2] then
    redis.call('ZADD', DUE, first[2], name)
    signal('d')
  else
    redis.call('ZREM', DUE, name)
  end
end

-- request asks for the end of a delivery, if the session still holds it.
local function request(session, field)
  if redis.call('HEXISTS', session, field) == 0 then
    return
  end
  local asked = redis.call('HGET', session, 'cancel') or ''
  if not is_asked(asked, field) then
    redis.call('HSET', session, 'cancel', (asked == '' and ' ' or asked) .. field .. ' ')
    changed = true
  end
  signal('r:' .. id)
  change = 'requested'
end

-- look_at looks at a place, and reports whether it came to the end of it.
local function look_at(base, kind, route, marker)
  local before, ended = passed, nil
  local short = kind == 'w' and run.longest > LARGE and short_in(RUN, route)
  passed, ended = look(kind, KEYS[base + PLACE], run.longest, passed, left, READABLE, short, function(message, at)
    local from = start_of(kind, message)
    local after = has_id(message, from, probe, claimed)
    if not after then
      return false
    elseif kind == 'z' then
      put(base, route, message, from, after)
    elseif cancel then
      remove(base, at - 1, marker, kind, route)
      cancelled('pending', message, from, after, kind == 'x')
    else
      change = 'not delayed'
    end
    return true
  end)
  left = left - (passed - before)
  return ended
end

local function change_root()
  local root = redis.call('HGET', RUN, 'root')
  local after = root and has_id(root, 1, probe, claimed)
  if after then
    redis.call('HDEL', RUN, 'root', 'rootwhen')
    cancelled('pending', root, 1, after)
  end
end

redis.call('HDEL', RUN, '')
local places, place = (#KEYS - 14) / 5, 0
local waits = run.state == 'running' or run.state == 'starting'
while place < places and change == '' do
  local base, kind, route, field, marker = 14 + 5 * place, arg(), arg(), arg(), arg()
  local ended = true
  if kind == 'h' and (waits or run.state == 'stopping') then
    request(KEYS[base], field)
  elseif kind == 'r' and run.state == 'starting' then
    change_root()
  elseif kind ~= 'h' and kind ~= 'r' and waits then
    ended = look_at(base, kind, route, marker)
  end
  if not ended then
    break
  end
  place, passed = place + 1, 0
end
if change == 'cancelled' or change == 'requested' then
  redis.call('SET', CANCELLED, change, 'PX', keeps)
  maybe_end(run, keys)
  save_run(run)
end
if changed then
  audit(line, id)
end
publish(channel)
return { 'ok', place, passed, left, change }
