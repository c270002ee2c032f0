local answers = {now}
for at = 2, #ARGV, WIDTH do
  local kind, entity = ARGV[at], ARGV[at + 1]
  local old = call('HGET', records, kind .. '\0' .. entity)
  answers[#answers + 1] = {carry(kind, entity, old, at)}
end
return answers
