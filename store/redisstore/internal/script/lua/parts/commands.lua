-- Each key has one type. An index of a wrong type comes from a manual change. It would end a script
-- in the middle, and stop the work of others. So the first command that finds it removes it, and
-- continues as if it were empty; a repair restores what can be known. A record of a wrong type is
-- not removed: a script that handles many records reads it with pcall, any other ends with an error
-- that names the key.
local server = redis
local redis = { pcall = server.pcall }
function redis.call(command, key, ...)
  local reply = server.pcall(command, key, ...)
  if type(reply) == 'table' and reply.err then
    if string.find(reply.err, 'WRONGTYPE', 1, true) then
      local records = { run = true, job = true, value = true, sem = true, limit = true, configuration = true, configured = true }
      if records[string.match(key, '}:(%a+)')] then
        error('WRONGTYPE ' .. key .. ' is of another type than it must be', 0)
      end
      server.log(server.LOG_WARNING, 'rollcall: removed a key of a wrong type: ' .. key)
      server.call('UNLINK', key)
    end
    return server.call(command, key, ...) -- fails again with the server's own error, unless that was the cause
  end
  return reply
end
