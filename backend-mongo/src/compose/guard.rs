//! The demands of an arm on a record, as a condition.

use mongodb::bson::{Bson, bson};
use sync_tracker_core::{ExternalIdDemand, Guard, RemoteDemand, RemoteVersion};

use crate::expression::{Now, all, any, equal, greater, is_in, literal, not, present, unequal};
use crate::value::{version_parts, whole};

/// Translates `Guard::holds` for a record that is there, whose fields are those of the document.
pub(super) fn on_record(guard: &Guard, now: Now) -> Bson {
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
    if let Some(token) = token {
        demands.push(present("$lease".into()));
        demands.push(is_number("$token", token.get()));
    }
    demands.extend(version.map(|it| is_number("$version", it.get())));
    demands.extend(revision.map(|it| is_number("$revision", it.get())));
    demands.extend(incarnation.map(|it| is_number("$incarnation", it.get())));
    demands.extend(
        attempts_at_least.map(|it| bson!({ "$gte": ["$attempts", Bson::Int64(it.into())] })),
    );
    demands.extend(
        synced_above.map(|it| greater("$synced_revision".into(), Bson::Int64(whole(it.get())))),
    );
    let is_id = |id: &str| equal("$external_id".into(), literal(id));
    match external_id {
        None => {}
        Some(ExternalIdDemand::FreeOr(id)) => {
            let free = not(present("$external_id".into()));
            demands.push(any(vec![free, is_id(id.as_str())]));
        }
        Some(ExternalIdDemand::Is(id)) => demands.push(is_id(id.as_str())),
    }
    demands.extend(echo.as_ref().map(|it| is_in(literal(it.as_str()), "$echoes".into())));
    demands.extend(base_differs.as_ref().map(|it| unequal("$base".into(), literal(it.as_str()))));
    match remote {
        None => {}
        Some(RemoteDemand::NewerThanAccepted(version)) => {
            demands
                .push(is_absent_or("$remote_version", compared("$lt", "$remote_version", version)));
            demands.push(is_absent_or("$remote_seen", compared("$lte", "$remote_seen", version)));
        }
        Some(RemoteDemand::SeenIs(version)) => {
            demands.push(same_kind("$remote_seen", version));
            let value = literal(version_parts(version).1);
            demands.push(equal("$remote_seen.value".into(), value));
        }
    }
    all(demands)
}

fn is_number(field: &str, number: u64) -> Bson {
    equal(field.into(), Bson::Int64(whole(number)))
}

fn is_absent_or(field: &str, condition: Bson) -> Bson {
    any(vec![not(present(field.into())), condition])
}

fn same_kind(field: &str, version: &RemoteVersion) -> Bson {
    equal(format!("{field}.kind").into(), version_parts(version).0.into())
}

/// How the version in a field stands to another one: `$lt`, `$lte` or `$gt`. Opaque ones can only
/// be the same.
pub(super) fn compared(order: &str, field: &str, version: &RemoteVersion) -> Bson {
    let (_, value) = version_parts(version);
    let there: Bson = format!("{field}.value").into();
    let value = match (version, order) {
        (RemoteVersion::Opaque(_), "$lte") => equal(there, literal(value)),
        (RemoteVersion::Opaque(_), _) => false.into(),
        (RemoteVersion::Sequence(_) | RemoteVersion::Timestamp(_), _) => {
            bson!({ order: [there, literal(value)] })
        }
    };
    all(vec![same_kind(field, version), value])
}
