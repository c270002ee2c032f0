local field = ARGV[1]
local old = call('HGET', records, field)
DECLARE
if old then
  DECODE
  TIES
  BEFORE
end
local there = old
old = ARGV[2]
RESET
DECODE
TIES
AFTER
text, old = old, there
IDS
INDEX
sets[1], sets[2] = field, text
if not old then
  local n = #new
  new[n + 1], new[n + 2] = 0, 'k' .. field
end
state = 0
until true
WRITE
if state < 0 then return {text[2], text[3]} end
return {false, false}
