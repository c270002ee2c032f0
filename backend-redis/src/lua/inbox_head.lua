local MOST = 9007199254740991
local BEGUN, ABANDONED, COMPLETED = 0, 1, 2
-- Nothing, if there is no such message.
local function message(field)
  local text = call('HGET', records, field)
  if not text then return end
  local m = {pcall(cmsgpack.unpack, text)}
  if not m[1] or type(m[2]) ~= 'number' or type(m[3]) ~= 'string' or type(m[4]) ~= 'number'
    or type(m[5]) ~= 'number'
  then
    error({err = 'CORRUPT a message does not decode'})
  end
  return unpack(m, 2, 6)
end
local function keep(field, token, begun_by, till, state, outcome)
  call('HSET', records, field, cmsgpack.pack(token, begun_by, till, state, outcome))
end
