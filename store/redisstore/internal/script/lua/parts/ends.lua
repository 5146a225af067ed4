-- Uses: clock, index, numbers, rings, runs, signals.
-- finish records the final state. The summary expires, the rest is purged. If only the list of
-- lanes is left, the run is clean, and the list is removed at once. facts: retention, reporting,
-- ended, job, which stays in run.ended.
local function finish(run, state, keys, facts, clean)
  facts = facts or redis.call('HMGET', run.key, 'retention', 'reporting', 'ended', 'job')
  run.ended = facts[4]
  if facts[2] then
    redis.call('HDEL', run.key, 'reporting', 'reported')
  end
  change_state(run, keys.index, state, facts[4], 'ended', facts[3] or now)
  redis.call('ZREM', keys.due, 'i:' .. run.id, 'd:' .. run.id)
  redis.call('ZADD', keys.hist, now + number_of(facts[1]), run.id)
  if clean then
    redis.call('UNLINK', keys.lanes)
  else
    redis.call('ZADD', keys.trash, now, run.id)
  end
  signal('r:' .. run.id)
end

-- add_post puts the post-job hook into its lane, as a task outside the counts.
local function add_post(run, keys, message, route, queue)
  redis.call('SADD', keys.lanes, route)
  redis.call('RPUSH', keys.post, message)
  enter(keys.ring, keys, run, queue)
  signal('r:' .. run.id)
end

-- maybe_end ends a run without tasks, if it has no holds, or was stopped. Failures are a hold if
-- the field onfailure says so (hold); accept makes it (accepted). It returns whether the run goes
-- on to its end, and whether its failures keep it from that. keys: hist, trash, index, due, clock,
-- routes, and lanes, post (waiting list) and ring of the hook's lane; exact (the counts were not in
-- doubt).
local function maybe_end(run, keys)
  if not is_over(run) then
    return false
  end
  if run.state == 'running' then
    local facts = redis.call('HMGET', run.key, 'retention', 'reporting', 'ended', 'job', 'post', 'postroute', 'postqueue', 'litter', 'onfailure')
    local final = 'succeeded'
    if run.failed > 0 then
      final = 'failed'
      if facts[9] == 'hold' then
        return false, true
      end
    end
    if not (facts[5] and facts[6] and facts[7]) then
      -- No task is left, so there are no lanes and no children; each lane left its ring with its
      -- last task. The field litter says if there is more, such as buckets of claimed IDs.
      finish(run, final, keys, facts, keys.exact and not facts[8])
      return true
    end
    change_state(run, keys.index, 'finishing', facts[4], 'finalstatus', final, 'ended', now)
    add_post(run, keys, facts[5], facts[6], facts[7])
    return true
  end
  if run.state == 'stopping' and run.running == 0 then
    finish(run, 'stopped', keys)
    return true
  end
  return false
end
