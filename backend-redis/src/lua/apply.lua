local answers, n = {now}, 2
for at = 2, #ARGV, WIDTH do
local field = ARGV[at]
local old = call('HGET', records, field)
CARRY
answers[n], answers[n + 1] = state, text
n = n + 2
end
WRITE
return answers
