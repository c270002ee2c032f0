-- What comes after too many bytes is left, and not answered.
local answers, n, left = {now}, 2, MOST_BYTES
for at = 2, #ARGV, WIDTH do
if left <= 0 then break end
local field = ARGV[at]
local old = call('HGET', records, field)
CARRY
answers[n], answers[n + 1] = state, text
n = n + 2
left = left - (old and #old or 0) - (type(text) == 'string' and #text or 0)
end
WRITE
return answers
