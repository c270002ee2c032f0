//! The demands of an arm on a record, as a condition.

use sync_tracker_core::{ExternalIdDemand, Guard, RemoteDemand};

use super::{Get, Params};
use crate::value::{Kind, Value, remote_version, whole};

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
        (leased, "o.lease_until IS NOT NULL"),
        (due, "coalesce(o.due_at <= o.now, false)"),
        (deleted, "o.deleted_at IS NOT NULL"),
        (dirty, "o.revision > o.synced_revision"),
        (known, "(o.external_id IS NOT NULL OR o.synced_revision > 0)"),
        (in_doubt, "o.in_doubt"),
        (held, "o.held_kind IS NOT NULL"),
        (conflict, "o.conflict_kind IS NOT NULL"),
    ];
    for (demand, state) in states {
        match demand {
            Some(true) => all.push(state.into()),
            Some(false) => all.push(format!("NOT ({state})")),
            None => {}
        }
    }
    let mut demand = |is: bool, condition: &str, kind: Kind, get: Get| {
        if is {
            let value = params.add(arm, kind, get);
            all.push(condition.replace('?', &value));
        }
    };
    demand(version.is_some(), "o.version = ?", Kind::Int, |arm| {
        int(arm.when.version.map(|it| it.get()))
    });
    demand(revision.is_some(), "o.revision = ?", Kind::Int, |arm| {
        int(arm.when.revision.map(|it| it.get()))
    });
    demand(incarnation.is_some(), "o.incarnation = ?", Kind::Int, |arm| {
        int(arm.when.incarnation.map(|it| it.get()))
    });
    let current = "(o.lease_until IS NOT NULL AND o.token = ?)";
    demand(token.is_some(), current, Kind::Int, |arm| int(arm.when.token.map(|it| it.get())));
    demand(attempts_at_least.is_some(), "o.attempts >= ?", Kind::Int, |arm| {
        Value::Int(arm.when.attempts_at_least.map(i64::from))
    });
    demand(synced_above.is_some(), "o.synced_revision > ?", Kind::Int, |arm| {
        int(arm.when.synced_above.map(|it| it.get()))
    });
    demand(echo.is_some(), "? = ANY (o.echoes)", Kind::Text, |arm| {
        Value::Text(arm.when.echo.as_ref().map(|it| it.as_str().into()))
    });
    demand(base_differs.is_some(), "o.base IS DISTINCT FROM ?", Kind::Text, |arm| {
        Value::Text(arm.when.base_differs.as_ref().map(|it| it.as_str().into()))
    });
    let id = match external_id {
        None => "",
        Some(ExternalIdDemand::FreeOr(_)) => "(o.external_id IS NULL OR o.external_id = ?)",
        Some(ExternalIdDemand::Is(_)) => "o.external_id = ?",
    };
    demand(external_id.is_some(), id, Kind::Text, |arm| match &arm.when.external_id {
        Some(ExternalIdDemand::FreeOr(id) | ExternalIdDemand::Is(id)) => Value::text(id.as_str()),
        None => Value::Text(None),
    });
    let version = match remote {
        None => "",
        Some(RemoteDemand::SeenIs(_)) => "o.remote_seen = ?",
        Some(RemoteDemand::NewerThanAccepted(_)) => {
            "((o.remote_version IS NULL OR (left(?, 1) = left(o.remote_version, 1) \
             AND left(?, 1) <> 'o' AND ? > o.remote_version)) \
             AND (o.remote_seen IS NULL OR ? = o.remote_seen \
             OR (left(?, 1) = left(o.remote_seen, 1) \
             AND left(?, 1) <> 'o' AND ? > o.remote_seen)))"
        }
    };
    demand(remote.is_some(), version, Kind::Text, |arm| match &arm.when.remote {
        Some(RemoteDemand::SeenIs(version) | RemoteDemand::NewerThanAccepted(version)) => {
            Value::owned(remote_version(version))
        }
        None => Value::Text(None),
    });
    if all.is_empty() { "true".into() } else { all.join(" AND ") }
}

fn int(number: Option<u64>) -> Value<'static> {
    Value::Int(number.map(whole))
}
