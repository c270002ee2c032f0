local MOST = 9007199254740991
local function next_of(counter) return math.min(counter + 1, MOST) end
-- Version and generation, who saved and who reset it, when it was saved, and the value.
local function stream(field)
  local text = call('HGET', records, field)
  if not text then return 0, 0 end
  local c = {pcall(cmsgpack.unpack, text)}
  local function is(what, place) return type(c[place]) == what end
  local function may_be(what, place) return c[place] == nil or is(what, place) end
  if not c[1] or not is('number', 2) or not is('number', 3) or not may_be('string', 4)
    or not may_be('string', 5) or not may_be('number', 6) or not may_be('string', 7)
  then
    error({err = 'CORRUPT a checkpoint does not decode'})
  end
  return unpack(c, 2, 7)
end
local function keep(field, version, generation, saved_by, reset_by, saved_at, value)
  call('HSET', records, field,
    cmsgpack.pack(version, generation, saved_by, reset_by, saved_at, value))
end
