-- Moves due tasks from delayed to waiting, and returns periodic jobs and ends of idle runs that are
-- due.
-- Uses: arguments, clock, large, pages, retrying, rings, runs, signals.
-- KEYS  1 due, 2 clock, 3 routes; per lane: run, W, D, ring
-- ARGV  channel, limit (and about 1 MiB), n, (run, route, queue, state of the run it needs) × n
-- Returns {moved, now, next due, {job …}, lane or i:R …}: the lanes due now, as hints for the next
--       call; idle runs, for end_idle; d:R, runs at their deadlines, for stop_run; and jobs, each of which is left to the caller for a while
-- Repeat: ZREM moves a task once; a returned job is returned again. ZREM is first, so that
--       the script runs when memory is short.
local DUE = KEYS[1]
local keys = { clock = KEYS[2], routes = KEYS[3] }
local CLAIM = 200 -- ms; store.FireClaim
local channel, limit = arg(), num()
local moved, bytes = 0, PAGE_BYTES
redis.call('ZREM', DUE, '')
for i = 1, num() do
  local base = 4 + 4 * (i - 1)
  local id, route, queue, state = arg(), arg(), arg(), arg()
  local name = id .. '/' .. route
  local run = open_run(KEYS[base], id)
  if not run or (run.state ~= state and run.state ~= 'starting') then
    redis.call('ZREM', DUE, name)
  elseif moved < limit and bytes > 0 then
    local messages, size = page(limit - moved, bytes, run.longest > 0 and run.longest, function(from, n)
      return redis.call('ZRANGEBYSCORE', KEYS[base + 2], '-inf', now, 'LIMIT', from, n)
    end)
    local n = #messages
    bytes = bytes - size
    if n > 0 then
      redis.call('ZREM', KEYS[base + 2], unpack(messages))
      redis.call('RPUSH', KEYS[base + 1], unpack(messages))
      note_pushed(run, route, messages, 1, n)
      if state == 'running' then
        run.delayed = run.delayed - n
        run.pending = run.pending + n
        note_retrying(run, route, messages, -1)
      end
      enter(KEYS[base + 3], keys, run, queue)
      save_run(run)
      moved = moved + n
    end
    local first = redis.call('ZRANGE', KEYS[base + 2], 0, 0, 'WITHSCORES')
    if first[2] then
      redis.call('ZADD', DUE, first[2], name)
    else
      redis.call('ZREM', DUE, name)
    end
  end
end
publish(channel)
local jobs, lanes = {}, {}
for _, name in ipairs(redis.call('ZRANGEBYSCORE', DUE, '-inf', now, 'LIMIT', 0, 16)) do
  if string.sub(name, 1, 2) == 'j:' then
    redis.call('ZADD', DUE, now + CLAIM, name)
    jobs[#jobs + 1] = string.sub(name, 3)
  else
    lanes[#lanes + 1] = name
  end
end
local first = redis.call('ZRANGE', DUE, 0, 0, 'WITHSCORES')
return { moved, now, first[2] or '', jobs, unpack(lanes) }
