-- Translates `InboxEntry::begin`.
-- Arguments: the clock, the message, the call, its lease, the last instant.
-- Answers 'fresh' and the token, 'in progress' and until when, or 'done' and the outcome.
local call_id, ends = ARGV[3], math.min(now + ARGV[4], tonumber(ARGV[5]))
local token, begun_by, till, state, outcome = message(ARGV[2])
if state == BEGUN and begun_by == call_id then
  keep(ARGV[2], token, begun_by, math.max(till, ends), BEGUN)
  return {'fresh', token}
end
if state and now < till then
  if state == BEGUN or state == ABANDONED and begun_by == call_id then
    return {'in progress', till}
  end
  if state == COMPLETED then return {'done', outcome} end
end
token = math.max(math.min((token or 0) + 1, MOST), math.min(now * 1000, MOST))
keep(ARGV[2], token, call_id, ends, BEGUN)
return {'fresh', token}
