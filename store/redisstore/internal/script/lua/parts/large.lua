-- Whoever looks for a task reads many short messages at a time, but few long ones. So a run that
-- ever had a message of more than LARGE bytes counts what is pushed to each of its waiting lists
-- (p:ROUTE, the number of the last task), and keeps the numbers of the long ones (l:ROUTE) as
-- ranges FROM-TO, oldest first: what is close together is one range, and so are the oldest ones if
-- there are too many. What was pushed before is short. If both are wrong, reading is slow.
local LARGE, CLOSE, RANGES = 16384, 64, 128

-- note_pushed counts messages that were pushed to the back of the waiting list of a route.
local function note_pushed(run, route, messages, first, last)
  if run.longest <= LARGE then
    return
  end
  local count, noted = redis.pcall('HINCRBY', run.key, 'p:' .. route, last - first + 1), nil
  for i = first, last do
    if #messages[i] > LARGE and type(count) == 'number' then
      local number = count - last + i
      noted = noted or redis.call('HGET', run.key, 'l:' .. route) or ''
      local others, from, to = string.match(noted, '^(.-)(%d+)%-(%d+)$')
      if from and number <= tonumber(to) + CLOSE then
        noted = others .. string.format('%s-%.0f', from, math.max(number, tonumber(to)))
      else
        noted = noted .. string.format(' %.0f-%.0f', number, number)
      end
    end
  end
  if noted then
    local _, ranges = string.gsub(noted, '-', '')
    for _ = RANGES, ranges - 1 do
      noted = string.gsub(noted, '^( %d+)%-%d+ %d+', '%1', 1)
    end
    redis.call('HSET', run.key, 'l:' .. route, noted)
  end
end

-- note_moved counts the last message of a waiting list as gone from there. It took the place of
-- another one, with so many behind that, unless it was the one that went. If it is long, all that is
-- behind its new place may be.
local function note_moved(run, route, message, behind)
  if run.longest <= LARGE then
    return
  end
  local count = redis.pcall('HINCRBY', run.key, 'p:' .. route, -1)
  if behind == 0 or #message <= LARGE or type(count) ~= 'number' then
    return
  end
  local number, noted = count - behind + 1, ''
  for from, to in string.gmatch(redis.call('HGET', run.key, 'l:' .. route) or '', '(%d+)%-(%d+)') do
    if tonumber(to) < number then
      noted = noted .. ' ' .. from .. '-' .. to
    else
      number = math.min(number, tonumber(from))
    end
  end
  redis.call('HSET', run.key, 'l:' .. route, noted .. string.format(' %.0f-%.0f', number, count))
end

-- short_in returns a function that says how many messages of the waiting list of a route are short
-- for sure, behind so many at its back; or nothing, if that is not known.
local function short_in(run_key, route)
  local v = redis.pcall('HMGET', run_key, 'p:' .. route, 'l:' .. route)
  local count, from, to = not v.err and tonumber(v[1] or ''), {}, {}
  if not count then
    return nil
  end
  for first, last in string.gmatch(v[2] or '', '(%d+)%-(%d+)') do
    from[#from + 1], to[#to + 1] = tonumber(first), tonumber(last)
  end
  local at = #from
  return function(passed)
    local number = count - passed
    while at > 0 and number < from[at] - CLOSE do
      at = at - 1
    end
    return at > 0 and math.max(0, number - to[at] - CLOSE) or math.huge
  end
end
