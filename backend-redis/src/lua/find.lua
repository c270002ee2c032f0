local kind = ARGV[1]
local answers = {}
for at = 2, #ARGV do
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
end
return answers
