//! The demands of an arm on a record, as a condition.

use mongodb::bson::{Bson, bson};
use sync_tracker_core::{
    Arm, ExternalIdDemand, Fingerprint, Guard, Incarnation, RemoteDemand, RemoteVersion, Revision,
    Token, Version,
};

use super::values::{Values, number, text};
use crate::expression::{Now, all, any, equal, greater, is_in, not, present, unequal};
use crate::value::version_parts;

/// Translates `Guard::holds` for a record that is there, whose fields are those of the document.
pub(super) fn on_record(guard: &Guard, now: Now, values: &mut Values<'_>) -> Bson {
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
    let mut demands: Vec<Bson> = Vec::new();
    if *exists == Some(false) {
        demands.push(false.into());
    }
    let is_due =
        all(vec![present("$due_at".into()), bson!({ "$lte": ["$due_at", now.expression()] })]);
    let states = [
        (leased, present("$lease".into())),
        (due, is_due),
        (deleted, present("$deleted_at".into())),
        (dirty, greater("$revision".into(), "$synced_revision".into())),
        (
            known,
            any(vec![
                present("$external_id".into()),
                greater("$synced_revision".into(), Bson::Int64(0)),
            ]),
        ),
        (in_doubt, "$in_doubt".into()),
        (held, present("$held".into())),
        (conflict, present("$conflict".into())),
    ];
    for (demand, state) in states {
        match demand {
            Some(true) => demands.push(state),
            Some(false) => demands.push(not(state)),
            None => {}
        }
    }
    if token.is_some() {
        demands.push(present("$lease".into()));
        let token = values.get(|arm| number(arm.when.token.map(Token::get)));
        demands.push(equal("$token".into(), token));
    }
    if version.is_some() {
        let version = values.get(|arm| number(arm.when.version.map(Version::get)));
        demands.push(equal("$version".into(), version));
    }
    if revision.is_some() {
        let revision = values.get(|arm| number(arm.when.revision.map(Revision::get)));
        demands.push(equal("$revision".into(), revision));
    }
    if incarnation.is_some() {
        let incarnation = values.get(|arm| number(arm.when.incarnation.map(Incarnation::get)));
        demands.push(equal("$incarnation".into(), incarnation));
    }
    if attempts_at_least.is_some() {
        let least = values.get(|arm| number(arm.when.attempts_at_least.map(u64::from)));
        demands.push(bson!({ "$gte": ["$attempts", least] }));
    }
    if synced_above.is_some() {
        let above = values.get(|arm| number(arm.when.synced_above.map(Revision::get)));
        demands.push(greater("$synced_revision".into(), above));
    }
    if let Some(demand) = external_id {
        let id = values.get(|arm| text(arm.when.external_id.as_ref().map(demanded_id)));
        let is_id = equal("$external_id".into(), id);
        demands.push(match demand {
            ExternalIdDemand::FreeOr(_) => any(vec![not(present("$external_id".into())), is_id]),
            ExternalIdDemand::Is(_) => is_id,
        });
    }
    if echo.is_some() {
        let echo = values.get(|arm| text(arm.when.echo.as_ref().map(Fingerprint::as_str)));
        demands.push(is_in(echo, "$echoes".into()));
    }
    if base_differs.is_some() {
        let base = values.get(|arm| text(arm.when.base_differs.as_ref().map(Fingerprint::as_str)));
        demands.push(unequal("$base".into(), base));
    }
    match remote {
        None => {}
        Some(RemoteDemand::NewerThanAccepted(version)) => {
            for (field, order) in [("$remote_version", "$lt"), ("$remote_seen", "$lte")] {
                let older = compared(order, field, version, demanded_version, values);
                demands.push(is_absent_or(field, older));
            }
        }
        Some(RemoteDemand::SeenIs(version)) => {
            demands.push(same_kind("$remote_seen", version));
            demands.push(equal("$remote_seen.value".into(), values.get(demanded_version)));
        }
    }
    all(demands)
}

fn demanded_id(demand: &ExternalIdDemand) -> &str {
    match demand {
        ExternalIdDemand::FreeOr(id) | ExternalIdDemand::Is(id) => id.as_str(),
    }
}

fn demanded_version(arm: &Arm) -> Bson {
    match &arm.when.remote {
        Some(RemoteDemand::NewerThanAccepted(version) | RemoteDemand::SeenIs(version)) => {
            version_parts(version).1
        }
        None => Bson::Null,
    }
}

fn is_absent_or(field: &str, condition: Bson) -> Bson {
    any(vec![not(present(field.into())), condition])
}

fn same_kind(field: &str, version: &RemoteVersion) -> Bson {
    equal(format!("{field}.kind").into(), version_parts(version).0.into())
}

/// How the version in a field stands to one of the arm: `$lt`, `$lte` or `$gt`. Opaque ones can only
/// be the same.
pub(super) fn compared(
    order: &str,
    field: &str,
    version: &RemoteVersion,
    get: fn(&Arm) -> Bson,
    values: &mut Values<'_>,
) -> Bson {
    let there: Bson = format!("{field}.value").into();
    let value = match (version, order) {
        (RemoteVersion::Opaque(_), "$lte") => equal(there, values.get(get)),
        (RemoteVersion::Opaque(_), _) => false.into(),
        (RemoteVersion::Sequence(_) | RemoteVersion::Timestamp(_), _) => {
            bson!({ order: [there, values.get(get)] })
        }
    };
    all(vec![same_kind(field, version), value])
}
