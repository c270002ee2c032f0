-- What leaves the index and what comes into it. Reserved types are in the order of keys alone.
if sub(field, 1, 13) ~= 'sync-tracker/' then
  if was ~= is then
    if was and was ~= '7' then out[#out + 1] = 's' .. was .. field end
    if is and is ~= '7' then
      local n = #new
      new[n + 1], new[n + 2] = 0, 's' .. is .. field
    end
  end
  if was_due ~= due or was_due and was ~= is then
    if was_due then out[#out + 1] = 'q' .. was .. pack('>I7', was_due + APART) .. field end
    if due then
      local n = #new
      new[n + 1], new[n + 2] = 0, 'q' .. is .. pack('>I7', due + APART) .. field
    end
  end
  if was_claim ~= $lease_claim then
    if was_claim then out[#out + 1] = 'c' .. was_claim .. '\0' .. field end
    if $lease_claim then
      local n = #new
      new[n + 1], new[n + 2] = 0, 'c' .. $lease_claim .. '\0' .. field
    end
  end
end
