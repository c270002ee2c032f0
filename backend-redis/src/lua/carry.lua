local function within(ring, change)
  local from = find(ring, change, 1, true)
  while from and from % 8 ~= 1 do from = find(ring, change, from + 1, true) end
  return from
end
local function recent(r) return $recent_changes end
