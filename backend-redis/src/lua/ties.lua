if ties ~= '' then
  ok, $aliases, $remote_version, $remote_seen, $base, $echoes = pcall(cmsgpack.unpack, ties)
  if not ok then error({err = 'CORRUPT a record does not decode'}) end
end
