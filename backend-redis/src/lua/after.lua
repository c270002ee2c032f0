if $conflict_kind then is = '0'
elseif $held_kind then is = $held_kind == 1 and '1' or '2'
elseif $lease_claim then is, due = '3', $lease_until
elseif $retry_at then is, due = '4', $retry_at
elseif $revision > $synced_revision then is, due = '6', $pending_since
elseif $deleted_at then is = '5'
else is = '7' end
