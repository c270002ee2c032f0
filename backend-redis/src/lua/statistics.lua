-- Answers the time, what is due, the instant of the next, the oldest that is pending, and for each
-- entity type how many records are in each status.
local counts, from = {}, '-'
local unreserved = {'sync-tracker/', 'sync-tracker0'}
while true do
  local first = call('ZRANGE', keys, from, '+', 'BYLEX', 'LIMIT', 0, 1)[1]
  if not first then break end
  local kind = sub(first, 1, find(first, '\0', 1, true) - 1)
  if sub(kind, 1, 13) == unreserved[1] then
    from = '[' .. unreserved[2]
  else
    from = '[' .. kind .. '\1'
    local left = call('ZLEXCOUNT', keys, '[' .. kind .. '\0', '(' .. kind .. '\1')
    local line = {kind}
    for status = 0, 6 do
      local prefix = status .. kind
      local count = call('ZLEXCOUNT', states, '[' .. prefix .. '\0', '(' .. prefix .. '\1')
      line[status + 2] = count
      left = left - count
    end
    line[9] = left
    counts[#counts + 1] = line
  end
end
local due, next_due = 0, nil
for _, apart in ipairs({-APART, 0, APART}) do
  due = due + call('ZCOUNT', queue, apart - APART / 2, apart + now)
  local later = call('ZRANGE', queue, '(' .. string.format('%.0f', apart + now), apart + APART / 2,
    'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')[2]
  if later and (not next_due or later - apart < next_due) then next_due = later - apart end
end
local oldest = call('ZRANGE', queue, -APART - APART / 2, -APART / 2, 'BYSCORE', 'LIMIT', 0, 1,
  'WITHSCORES')[2]
return {now, due, next_due or false, oldest and oldest + APART or false, counts}
