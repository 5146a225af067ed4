-- Uses: arguments, clock, rings, runs, signals.
-- Shared by the scripts that begin a run under a number that the caller proposes from the server's clock.
-- KEYS  1 meta, 2 jobs, 3 job, 4 starts, 5 last run as the caller knows it (or the job), 6 clock, 7 due, 8 routes, 9 idle,
--       10 run, 11 lanes, 12 holds; 13 W, 14 D, 15 ring of the lane of the first task: the pre-job hook's, or else the root's; 16 the run's configuration
-- ARGV  open (1), sealed or stopped after in ms or '', root (1), pre-job (1), root's message, root's when, then if there is a first
--       task: route, queue, message, when; fields of the run: n, (name, value) × n; document of its configuration, if it has one
local function is_active(state)
  return state and state ~= 'succeeded' and state ~= 'failed' and state ~= 'stopped' and state ~= 'skipped'
end

-- begin makes the run, when everything has been checked.
local function begin(job, token, number)
  local open, seal, has_root, has_pre = num(), arg(), num(), num()
  redis.call('HSET', KEYS[1], 'run', number)
  redis.call('ZADD', KEYS[2], 0, job)
  redis.call('HSET', KEYS[3], 'run', number)
  redis.call('HSETNX', KEYS[3], 'kind', 'single-pass')
  redis.call('HSETNX', KEYS[3], 'created', now)
  redis.call('HSET', KEYS[4], token, number)

  local root, root_when = arg(), arg()
  local state = 'running'
  if has_pre == 1 then
    state = 'starting'
  end
  local route, queue, message, when
  if has_root == 1 or has_pre == 1 then
    route, queue, message, when = arg(), arg(), arg(), arg()
  end
  local fields = { 'job', job, 'token', token, 'state', state, 'created', now }
  for _ = 1, num() do
    fields[#fields + 1] = arg()
    fields[#fields + 1] = arg()
  end
  local document = arg()
  if document then
    fields[#fields + 1] = 'configured'
    fields[#fields + 1] = 1
    redis.call('HSET', KEYS[16], 'version', 1, 'document', document)
  end
  if open == 1 then
    fields[#fields + 1] = 'holds'
    fields[#fields + 1] = 1
    redis.call('HSET', KEYS[12], 'open', now)
    if seal ~= '' then
      fields[#fields + 1] = 'sealafter'
      fields[#fields + 1] = seal
      redis.call('ZADD', KEYS[9], now + tonumber(seal), number)
    end
  end
  if has_pre == 1 and has_root == 1 then
    -- The root waits in the run itself until the hook has passed; it counts as pending.
    fields[#fields + 1] = 'root'
    fields[#fields + 1] = root
    if root_when ~= '' then
      fields[#fields + 1] = 'rootwhen'
      fields[#fields + 1] = root_when
    end
  end
  redis.call('HSET', KEYS[10], unpack(fields))
  local run = open_run(KEYS[10], number)
  if has_root == 1 then
    run.total, run.pending = 1, 1
  end
  if route then
    redis.call('SADD', KEYS[11], route)
    redis.call('SADD', KEYS[8], route)
    if when ~= '' then
      local due = tonumber(when)
      if string.sub(when, 1, 1) == '+' then
        due = now + due
      end
      redis.call('ZADD', KEYS[14], due, message)
      redis.call('ZADD', KEYS[7], due, number .. '/' .. route)
      signal('d')
      if has_pre == 0 then
        run.pending, run.delayed = 0, 1
      end
    else
      redis.call('RPUSH', KEYS[13], message)
      enter(KEYS[15], KEYS[6], run, queue)
    end
  end
  save_run(run)
  signal('r:' .. number)
end
