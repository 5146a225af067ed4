-- A session's field cancel lists the fields of its deliveries that are to be cancelled: ' FIELD
-- FIELD '; '' if there are none.
local function is_asked(asked, field)
  return asked and string.find(asked, ' ' .. field .. ' ', 1, true) ~= nil
end

-- forget_asked leaves only deliveries in the list that the session still holds.
local function forget_asked(session, asked)
  if (asked or '') == '' then
    return
  end
  local left = ''
  for field in string.gmatch(asked, '%S+') do
    if redis.call('HEXISTS', session, field) == 1 then
      left = (left == '' and ' ' or left) .. field .. ' '
    end
  end
  redis.call('HSET', session, 'cancel', left)
end
