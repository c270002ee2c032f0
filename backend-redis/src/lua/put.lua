local kind, entity, text = ARGV[1], ARGV[2], ARGV[3]
local old = call('HGET', records, kind .. '\0' .. entity)
local id, by = keep(kind, entity, old and indexed(decode(old)) or nil, indexed(decode(text)), text)
return {id or false, by or false}
