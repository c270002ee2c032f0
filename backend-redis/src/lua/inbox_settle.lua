-- Translates `InboxEntry::complete` and `InboxEntry::abandon`.
-- Arguments: the clock, the message, the token, the last instant; and to complete it, how long it
-- is remembered and the outcome.
-- Answers 1, or 0 if the ticket is lost.
local token, begun_by, till, state = message(ARGV[2])
if token ~= tonumber(ARGV[3]) then return 0 end
local settled = ARGV[5] and COMPLETED or ABANDONED
if state == BEGUN then
  if ARGV[5] then till = math.min(now + ARGV[5], tonumber(ARGV[4])) end
  keep(ARGV[2], token, begun_by, till, settled, ARGV[6])
  return 1
end
return state == settled and 1 or 0
