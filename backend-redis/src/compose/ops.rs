//! What operations have in common: functions that a script has if it calls them.

/// Each by how a call of it begins.
const FUNCTIONS: [(&str, &str); 6] = [
    (
        "order(",
        "-- How one remote version stands to another; nothing if there is no telling.
local function order(a, b)
  if a == b then return 0 end
  local kind = byte(a, 1)
  if kind ~= byte(b, 1) or kind == 111 then return nil end
  for at = 2, 9 do
    local p, q = byte(a, at), byte(b, at)
    if p ~= q then return p < q and -1 or 1 end
  end
end
",
    ),
    (
        "has(",
        "local function has(list, item)
  for _, other in ipairs(list or {}) do
    if other == item then return true end
  end
  return false
end
",
    ),
    (
        "with(",
        "local function with(list, item)
  local longer = {unpack(list or {})}
  longer[#longer + 1] = item
  return longer
end
",
    ),
    (
        "without_first(",
        "local function without_first(list, item)
  if not list then return nil end
  for at, other in ipairs(list) do
    if other == item then
      local left = {unpack(list)}
      table.remove(left, at)
      return left[1] and left or nil
    end
  end
  return list
end
",
    ),
    (
        "newest(",
        "-- The version that is asked for, unless it is older than the one there. None keeps.
local function newest(there, version)
  if version == '' or there and order(version, there) == -1 then return there end
  return version
end
",
    ),
    (
        "merged(",
        "local function merged(there, set, removed)
  local map = there and cmsgpack.unpack(there) or {}
  if removed ~= '' then
    for _, key in ipairs(cmsgpack.unpack(removed)) do map[key] = nil end
  end
  if set ~= '' then
    for key, value in pairs(cmsgpack.unpack(set)) do map[key] = value end
  end
  return next(map) ~= nil and cmsgpack.pack(map) or nil
end
",
    ),
];

/// The functions that a text calls, and those that they call.
pub(super) fn used_in(text: &str) -> String {
    let calls = |call: &str| text.contains(call) || call == "order(" && text.contains("newest(");
    FUNCTIONS.iter().filter(|(call, _)| calls(call)).map(|(_, function)| *function).collect()
}
