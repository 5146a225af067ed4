-- Signals are sent last, as lines of one message, with pcall: PUBLISH may be refused (ACL) after
-- the writes, and a lost signal is not an error. 'w:ROUTE' work, 'r:RUN' run, 'p:RUN' its progress,
-- 'j:JOB' job, 'o' workers, 'a:SESSION' its worker, 'c' configuration, 'd' due, 'm' pauses, 'l:HOLDER:LIMIT' limit, 's:PLACE:KEY' semaphore.
local signals = {}
local function signal(what)
  signals[what] = true
end
local function publish(channel)
  if not next(signals) then
    return
  end
  local all = {}
  for what in pairs(signals) do
    all[#all + 1] = what
  end
  redis.pcall('PUBLISH', channel, table.concat(all, '\n'))
end
