-- Translates `PurgeHorizon::raise`.
-- Arguments: the name of the horizon among the streams, the instant. Answers the horizon.
local there, to = call('HGET', records, ARGV[1]), tonumber(ARGV[2])
if there then
  local decodes, instant, more = pcall(cmsgpack.unpack, there)
  if not decodes or type(instant) ~= 'number' or more then
    error({err = 'CORRUPT a horizon does not decode'})
  end
  if instant >= to then return instant end
end
call('HSET', records, ARGV[1], cmsgpack.pack(to))
return to
