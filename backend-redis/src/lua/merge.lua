-- Arguments: how many at most of each range; ranges of the statuses in the index.
local answers = {now}
for at = 3, #ARGV, 2 do
  local members = call('ZRANGE', index, ARGV[at], ARGV[at + 1], 'BYLEX', 'LIMIT', 0, ARGV[2])
  for place, member in ipairs(members) do members[place] = sub(member, 3) end
  answers[#answers + 1] = members
end
return answers
