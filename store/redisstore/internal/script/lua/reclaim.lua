-- Gives back a slice of a closed session's tasks as recovered tasks.
-- Uses: arguments, aside, asked, claims, ends, ledger, rings, runs, signals.
-- KEYS  1 session, 2 leases, 3 clock, 4 due, 5 hist, 6 trash, 7 terms, 8 routes, 9 index, 10 kept, 11 ledger; then by index:
--       per run: run, lanes, stage, waiting list and ring of its post-job lane; per lane: U, ring; staged lists;
--       buckets of IDs
-- ARGV  channel, session; runs: n, (base, id, rings as in read_rings) × n; per run: lanes: n, (lane, route, queue, counted, state of the run it needs,
--       tasks: m, (field, message, ids, digest, keep, bucket as in settle) × m) × n; staged lists of dead attempts: n, (list, name) × n
-- Returns {reclaimed, remaining}; {open} if the session is not closed; {again}: other lanes stand
--       aside now
-- Repeat: HDEL of the lease can succeed only once, and goes first.
local SESSION, LEASES, TERMS, KEPT = KEYS[1], KEYS[2], KEYS[7], KEYS[10]
if redis.call('HEXISTS', SESSION, 'fetch') == 1 then
  return { 'open' }
end
local channel, session = arg(), arg()
local asked = redis.call('HGET', SESSION, 'cancel')
local keys = { clock = KEYS[3], due = KEYS[4], routes = KEYS[8], hist = KEYS[5], trash = KEYS[6], index = KEYS[9] }
local runs, bases, total, reclaimed = {}, {}, num(), 0
for i = 1, total do
  bases[i] = num()
  runs[i] = open_run(KEYS[bases[i]], arg()) or false
  if read_rings(runs[i]) then
    return { 'again' }
  end
end
for i = 1, total do
  local run, base = runs[i], bases[i]
  for _ = 1, num() do
    local lane, route, queue, counted, state, back = num(), arg(), arg(), num(), arg(), {}
    for _ = 1, num() do
      local field, message, ids, digest, keep, bucket = arg(), arg(), num(), arg(), num(), arg()
      if redis.call('HDEL', SESSION, field) == 1 and run then
        reclaimed = reclaimed + 1
        untally(run, field)
        if counted == 1 then
          tally('o:', route, 1)
        end
        if run.state == state and not is_asked(asked, field) then
          back[#back + 1] = message
        elseif counted == 1 then
          run.running = run.running - 1
          run.cancelled = run.cancelled + 1
          if ids > 0 then
            end_claim(KEYS[ids], KEPT, digest, keep, bucket)
          end
        end
      end
    end
    if #back > 0 then
      redis.call('RPUSH', KEYS[lane], unpack(back))
      if counted == 1 then
        run.running = run.running - #back
        run.pending = run.pending + #back
      end
      enter(KEYS[lane + 1], keys, run, queue)
    end
  end
  for _ = 1, num() do
    local list, name = num(), arg()
    redis.call('HDEL', KEYS[base + 2], name)
    redis.call('UNLINK', KEYS[list])
  end
  if run then
    go_on(run, keys)
    keys.lanes, keys.post, keys.ring = KEYS[base + 1], KEYS[base + 3], KEYS[base + 4]
    maybe_end(run, keys)
    save_run(run)
  end
end
local remaining = redis.call('HLEN', SESSION) - redis.call('HEXISTS', SESSION, 'cancel')
if remaining == 0 then
  redis.call('HDEL', SESSION, 'cancel')
  redis.call('ZREM', LEASES, session)
  redis.call('HDEL', TERMS, session)
end
write_ledger(KEYS[11], keys.routes)
publish(channel)
return { reclaimed, remaining }
