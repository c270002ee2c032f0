//! The demands of an arm on a record, as a condition.

use sync_tracker_core::{ExternalIdDemand, Guard, RemoteDemand};

use super::{Get, Params};
use crate::value::remote_version;

/// Translates `Guard::holds` for a record that is there.
pub(super) fn on_record(guard: &Guard, arm: usize, params: &mut Params) -> String {
    let Guard {
        exists,
        version,
        revision,
        incarnation,
        token,
        leased,
        due,
        deleted,
        dirty,
        known,
        in_doubt,
        held,
        conflict,
        attempts_at_least,
        synced_above,
        external_id,
        echo,
        base_differs,
        remote,
    } = guard;
    let mut all: Vec<String> = Vec::new();
    if *exists == Some(false) {
        all.push("false".into());
    }
    let states = [
        (leased, "$lease_claim"),
        (due, "(was_due and was_due <= now)"),
        (deleted, "$deleted_at"),
        (dirty, "($revision > $synced_revision)"),
        (known, "($external_id or $synced_revision > 0)"),
        (in_doubt, "$in_doubt"),
        (held, "$held_kind"),
        (conflict, "$conflict_kind"),
    ];
    for (demand, state) in states {
        match demand {
            Some(true) => all.push(state.into()),
            Some(false) => all.push(format!("not {state}")),
            None => {}
        }
    }
    let mut demand = |is: bool, condition: &str, get: Get| {
        if is {
            let value = params.add(arm, get);
            all.push(condition.replace('?', &value));
        }
    };
    demand(version.is_some(), "$version == tonumber(?)", |arm| {
        number(arm.when.version.map(|it| it.get()))
    });
    demand(revision.is_some(), "$revision == tonumber(?)", |arm| {
        number(arm.when.revision.map(|it| it.get()))
    });
    demand(incarnation.is_some(), "$incarnation == tonumber(?)", |arm| {
        number(arm.when.incarnation.map(|it| it.get()))
    });
    demand(token.is_some(), "$lease_claim and $token == tonumber(?)", |arm| {
        number(arm.when.token.map(|it| it.get()))
    });
    demand(attempts_at_least.is_some(), "$attempts >= tonumber(?)", |arm| {
        number(arm.when.attempts_at_least.map(u64::from))
    });
    demand(synced_above.is_some(), "$synced_revision > tonumber(?)", |arm| {
        number(arm.when.synced_above.map(|it| it.get()))
    });
    demand(echo.is_some(), "has($echoes, ?)", |arm| {
        arm.when.echo.as_ref().map_or_else(Vec::new, |it| it.as_str().into())
    });
    demand(base_differs.is_some(), "$base ~= ?", |arm| {
        arm.when.base_differs.as_ref().map_or_else(Vec::new, |it| it.as_str().into())
    });
    let id = match external_id {
        None => "",
        Some(ExternalIdDemand::FreeOr(_)) => "(not $external_id or $external_id == ?)",
        Some(ExternalIdDemand::Is(_)) => "$external_id == ?",
    };
    demand(external_id.is_some(), id, |arm| match &arm.when.external_id {
        Some(ExternalIdDemand::FreeOr(id) | ExternalIdDemand::Is(id)) => id.as_str().into(),
        None => Vec::new(),
    });
    let version = match remote {
        None => "",
        Some(RemoteDemand::SeenIs(_)) => "$remote_seen == ?",
        Some(RemoteDemand::NewerThanAccepted(_)) => {
            "(not $remote_version or order(?, $remote_version) == 1) \
             and (not $remote_seen or (order(?, $remote_seen) or -1) >= 0)"
        }
    };
    demand(remote.is_some(), version, |arm| match &arm.when.remote {
        Some(RemoteDemand::SeenIs(version) | RemoteDemand::NewerThanAccepted(version)) => {
            remote_version(version)
        }
        None => Vec::new(),
    });
    if all.is_empty() { "true".into() } else { all.join(" and ") }
}

fn number(number: Option<u64>) -> Vec<u8> {
    number.map_or_else(Vec::new, |number| number.to_string().into())
}
