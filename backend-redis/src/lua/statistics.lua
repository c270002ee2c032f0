-- Answers the time, what is due, the instant of the next, the oldest that is pending, and for each
-- entity type how many records are in each status.
local APART = 1125899906842624
local counts, from = {}, '[k'
while true do
  local first = call('ZRANGE', index, from, '(l', 'BYLEX', 'LIMIT', 0, 1)[1]
  if not first then break end
  local kind = sub(first, 2, find(first, '\0', 1, true) - 1)
  if sub(kind, 1, 13) == 'sync-tracker/' then
    from = '[ksync-tracker0'
  else
    from = '[k' .. kind .. '\1'
    local left = call('ZLEXCOUNT', index, '[k' .. kind .. '\0', '(k' .. kind .. '\1')
    local line = {kind}
    for status = 0, 6 do
      local prefix = 's' .. status .. kind
      local count = call('ZLEXCOUNT', index, '[' .. prefix .. '\0', '(' .. prefix .. '\1')
      line[status + 2] = count
      left = left - count
    end
    line[9] = left
    counts[#counts + 1] = line
  end
end
-- When the first is due that is in a range of the queue.
local function first_of(from, to)
  local member = call('ZRANGE', index, from, to, 'BYLEX', 'LIMIT', 0, 1)[1]
  return member and unpacked('>I7', member, 3) - APART
end
local due, next_due = 0, nil
local till = pack('>I7', now + 1 + APART)
for _, status in ipairs({'3', '4', '6'}) do
  local queue = 'q' .. status
  due = due + call('ZLEXCOUNT', index, '[' .. queue, '(' .. queue .. till)
  local later = first_of('[' .. queue .. till, '(q' .. status + 1)
  if later and (not next_due or later < next_due) then next_due = later end
end
return {now, due, next_due or false, first_of('[q6', '(q7') or false, counts}
