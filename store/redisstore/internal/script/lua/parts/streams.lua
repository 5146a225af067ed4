-- answered compares a call of a stream with the stream's record, 'NUMBER reply'. It returns the
-- answer if the call must not be done: lost if there is no record, the same reply if the call is
-- the last one, stale if it is older. It returns nil if the call is new.
local function answered(record, number, lost)
  local last = record and tonumber(string.match(record, '^%d+'))
  if not last then
    return { lost }
  elseif number == last then
    return { 'ok', record }
  elseif number < last then
    return { 'stale' }
  end
end

-- session_records reads the last fetch of a session, 'NUMBER …', its last settlement, what of it is
-- to be cancelled, see asked.lua, and the status of its worker. It returns nothing if the session is not known, or lacks
-- calls that its worker knows as answered: then the server has lost writes.
local function session_records(session, fetched, settled)
  local v = redis.call('HMGET', session, 'fetch', 'settle', 'cancel', 'status')
  local fetch, settle = tonumber((string.match(v[1] or '', '^%d+'))), tonumber((string.match(v[2] or '', '^%d+')))
  if fetch and settle and fetch >= fetched and settle >= settled then
    return v[1], v[2], v[3], v[4] or 'active'
  end
end
