local kind = ARGV[1]
-- Ids after too many bytes are left, and not answered.
local answers, left = {}, MOST_BYTES
for at = 2, #ARGV do
  if left <= 0 then break end
  local id = ARGV[at]
  local entity = call('HGET', records, '\1' .. kind .. '\0' .. id)
  if not entity then
    local prefix = 'x' .. kind .. '\0' .. id
    local first = call('ZRANGE', index, '[' .. prefix .. '\0', '(' .. prefix .. '\1', 'BYLEX',
      'LIMIT', 0, 1)[1]
    entity = first and sub(first, #prefix + 18)
  end
  local text = entity and call('HGET', records, kind .. '\0' .. entity)
  answers[#answers + 1] = {entity or false, text or false}
  left = left - (text and #text or 0)
end
return answers
