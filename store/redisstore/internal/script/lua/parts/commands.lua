-- Each key has one type, and no call leaves another there. What stands in an index of a wrong type
-- was put there by a person, and would end a script half-way, and with it the work of others. So the
-- first command that meets it removes it, and goes on as if nothing had been there; a repair puts
-- back what can be known. A record of one thing is left as it is: a script about many reads it by
-- pcall, any other ends with an error that names its key.
local RECORDS = { run = true, job = true, value = true, sem = true, limit = true, configuration = true, configured = true }
local server = redis
local redis = { pcall = server.pcall }
function redis.call(command, key, ...)
  local reply = server.pcall(command, key, ...)
  if type(reply) == 'table' and reply.err then
    if string.find(reply.err, 'WRONGTYPE', 1, true) then
      if RECORDS[string.match(key, '}:(%a+)')] then
        error('WRONGTYPE ' .. key .. ' is of another type than it must be', 0)
      end
      server.log(server.LOG_WARNING, 'rollcall: removed a key of a wrong type: ' .. key)
      server.call('UNLINK', key)
    end
    return server.call(command, key, ...) -- fails again, with the error as the server words it, unless that was it
  end
  return reply
end
