-- Uses: clock, numbers.
-- audit adds a line to the audit of the partition, which is the last of KEYS, about a run or none;
-- '' is no line. Whoever changes something calls it after its first write. Its score, and its
-- first word, is its number, the time in µs; so numbers grow. What is too old or too much goes.
local AUDIT_MOST, AUDIT_KEPT = 1000, 90 * 24 * 3600 * 1e6 -- bounds.MaxAudit, and AuditKept in µs
local function audit(line, run)
  if line == '' then
    return
  end
  local key = KEYS[#KEYS]
  local last = number_of(redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')[2])
  local number = math.max(time[1] * 1000000 + time[2], last + 1)
  local text = string.format('%.0f', number)
  redis.call('ZADD', key, text, text .. ' ' .. (run or '0') .. ' ' .. line)
  redis.call('ZREMRANGEBYRANK', key, 0, -1 - AUDIT_MOST)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('(%.0f', number - AUDIT_KEPT))
end
