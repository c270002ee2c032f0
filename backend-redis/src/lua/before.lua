if $conflict_kind then was = '0'
elseif $held_kind then was = $held_kind == 1 and '1' or '2'
elseif $lease_claim then was, was_due = '3', $lease_until
elseif $retry_at then was, was_due = '4', $retry_at
elseif $revision > $synced_revision then was, was_due = '6', $pending_since
elseif $deleted_at then was = '5'
else was = '7' end
was_claim, was_id, was_aliases, was_deleted = $lease_claim, $external_id, $aliases, $deleted_at
