//! The operations of an arm, as expressions.

use mongodb::bson::{Bson, bson};
use sync_tracker_core::{
    AliasesOp, Arm, AttemptsOp, ConflictOp, EchoesOp, ExternalIdOp, FactOp, FailureNote, FailureOp,
    FlagOp, HeldKind, HeldOp, IncarnationOp, InstantOp, LeaseOp, MetadataMerge, MetadataOp, Patch,
    RemoteVersion, RetryOp, RevisionOp, SyncRecord, SyncedAtOp, SyncedRevisionOp, Token,
};

use super::draft::Draft;
use super::guard::compared;
use super::values::{Values, number, text};
use crate::expression::{
    Now, all, any, cond, equal, highest, is_in, joined, length, lowest, not, or_else, plus,
    present, pushed, unequal, without, without_first,
};
use crate::value::{
    conflict_kind, failure_class, held_kind, metadata as entries, remote_version as written,
    version_parts, whole,
};

/// Translates `Patch::carry_out`.
pub(super) fn carry_out(patch: &Patch, draft: &mut Draft, now: Now, values: &mut Values<'_>) {
    let Patch {
        incarnation,
        external_id,
        aliases,
        revision,
        synced_revision,
        updated_at,
        deleted_at,
        remote_deleted_at,
        sighted_at,
        synced_at,
        remote_version,
        remote_seen,
        base,
        echoes,
        attempts,
        in_doubt,
        held,
        failure,
        retry_at,
        lease,
        conflict,
        metadata,
    } = patch;
    begin_incarnation(*incarnation, draft, now);
    set_external_id(external_id, draft, values);
    add_alias(aliases, draft, values);
    match revision {
        RevisionOp::Keep => {}
        RevisionOp::Next => draft.set("revision", plus(draft.get("revision"), 1)),
    }
    match synced_revision {
        SyncedRevisionOp::Keep => {}
        SyncedRevisionOp::Max(_) => {
            let seen = values.get(|arm| match arm.then.synced_revision {
                SyncedRevisionOp::Max(seen) => number(Some(seen.get())),
                SyncedRevisionOp::Keep | SyncedRevisionOp::ToRevision => Bson::Null,
            });
            let seen = lowest(seen, draft.get("revision"));
            draft.set("synced_revision", highest(draft.get("synced_revision"), seen));
        }
        SyncedRevisionOp::ToRevision => draft.set("synced_revision", draft.get("revision")),
    }
    instant(*updated_at, "updated_at", draft, now);
    instant(*deleted_at, "deleted_at", draft, now);
    instant(*remote_deleted_at, "remote_deleted_at", draft, now);
    instant(*sighted_at, "sighted_at", draft, now);
    match synced_at {
        SyncedAtOp::Keep => {}
        SyncedAtOp::Now => {
            draft.set("synced_at", highest(draft.get("synced_at"), now.expression()));
        }
        SyncedAtOp::Clear => draft.set("synced_at", Bson::Null),
    }
    set_version(remote_version, "remote_version", OF_ACCEPTED, draft, values);
    set_version(remote_seen, "remote_seen", OF_SEEN, draft, values);
    match base {
        FactOp::Keep => {}
        FactOp::Set(_) => {
            let content = values.get(|arm| match &arm.then.base {
                FactOp::Set(content) => content.as_str().into(),
                FactOp::Keep | FactOp::Clear => Bson::Null,
            });
            draft.set("base", content);
        }
        FactOp::Clear => draft.set("base", Bson::Null),
    }
    expect_echoes(echoes, draft, values);
    match attempts {
        AttemptsOp::Keep => {}
        AttemptsOp::Reset => draft.set("attempts", Bson::Int64(0)),
        AttemptsOp::Charge => {
            let most = Bson::Int64(u32::MAX.into());
            draft.set("attempts", lowest(plus(draft.get("attempts"), 1), most));
        }
        AttemptsOp::GiveBack => {
            draft.set("attempts", highest(plus(draft.get("attempts"), -1), Bson::Int64(0)));
        }
    }
    match in_doubt {
        FlagOp::Keep => {}
        FlagOp::Set => draft.set("in_doubt", true),
        FlagOp::Clear => draft.set("in_doubt", false),
    }
    match held {
        HeldOp::Keep => {}
        HeldOp::Dead => draft.set("held", held_now(HeldKind::Dead, now)),
        HeldOp::Dismissed => draft.set("held", held_now(HeldKind::Dismissed, now)),
        HeldOp::Clear => draft.set("held", Bson::Null),
    }
    note_failure(failure, draft, now, values);
    schedule(retry_at, draft, now, values);
    set_lease(lease, draft, now, values);
    match conflict {
        ConflictOp::Keep => {}
        ConflictOp::Open(_) => {
            let kind = values.get(|arm| match arm.then.conflict {
                ConflictOp::Open(kind) => conflict_kind(kind).into(),
                ConflictOp::Keep | ConflictOp::Clear => Bson::Null,
            });
            let since = or_else(draft.within("conflict", "since"), now.expression());
            draft.set("conflict", bson!({ "kind": kind, "since": since }));
        }
        ConflictOp::Clear => draft.set("conflict", Bson::Null),
    }
    set_metadata(metadata, draft, values);
}

fn begin_incarnation(op: IncarnationOp, draft: &mut Draft, now: Now) {
    match op {
        IncarnationOp::Keep => {}
        IncarnationOp::Next => {
            let next = highest(plus(draft.get("incarnation"), 1), now.millis());
            draft.set("incarnation", next);
            for field in ["external_id", "remote_version", "remote_seen", "remote_deleted_at"] {
                draft.set(field, Bson::Null);
            }
            for field in ["sighted_at", "base"] {
                draft.set(field, Bson::Null);
            }
            draft.set("aliases", Vec::<Bson>::new());
            draft.set("echoes", Vec::<Bson>::new());
            draft.set("synced_revision", Bson::Int64(0));
            draft.set("created_at", now.expression());
            draft.set("in_doubt", false);
        }
    }
}

fn set_external_id(op: &ExternalIdOp, draft: &mut Draft, values: &mut Values<'_>) {
    let mut id = || {
        values.get(|arm| match &arm.then.external_id {
            ExternalIdOp::Set(id) | ExternalIdOp::Supersede(id) => id.as_str().into(),
            ExternalIdOp::Keep | ExternalIdOp::Clear => Bson::Null,
        })
    };
    match op {
        ExternalIdOp::Keep => {}
        ExternalIdOp::Clear => draft.set("external_id", Bson::Null),
        ExternalIdOp::Set(_) => {
            let id = id();
            draft.set("aliases", without(draft.get("aliases"), id.clone()));
            draft.set("external_id", id);
        }
        ExternalIdOp::Supersede(_) => {
            let id = id();
            let old = draft.get("external_id");
            let is_other = all(vec![present(old.clone()), unequal(old.clone(), id.clone())]);
            let superseded = cond(is_other, Bson::Array(vec![old]), Bson::Array(Vec::new()));
            let others = without(draft.get("aliases"), id.clone());
            draft.set("aliases", joined(vec![others, superseded]));
            draft.set("external_id", id);
        }
    }
}

fn add_alias(op: &AliasesOp, draft: &mut Draft, values: &mut Values<'_>) {
    match op {
        AliasesOp::Keep => {}
        AliasesOp::Add(_) => {
            let id = values.get(|arm| match &arm.then.aliases {
                AliasesOp::Add(id) => id.as_str().into(),
                AliasesOp::Keep => Bson::Null,
            });
            let there = draft.get("aliases");
            let is_known = any(vec![
                equal(draft.get("external_id"), id.clone()),
                is_in(id.clone(), there.clone()),
            ]);
            let longer = joined(vec![there.clone(), Bson::Array(vec![id])]);
            draft.set("aliases", cond(is_known, there, longer));
        }
    }
}

fn instant(op: InstantOp, field: &str, draft: &mut Draft, now: Now) {
    match op {
        InstantOp::Keep => {}
        InstantOp::Now => draft.set(field, now.expression()),
        InstantOp::NowIfNone => draft.set(field, or_else(draft.get(field), now.expression())),
        InstantOp::Clear => draft.set(field, Bson::Null),
    }
}

/// How a version is got from an arm: the whole of it, and its value alone.
type GetVersion = [fn(&Arm) -> Bson; 2];

const OF_ACCEPTED: GetVersion =
    [|arm| whole_version(&arm.then.remote_version), |arm| bare_version(&arm.then.remote_version)];
const OF_SEEN: GetVersion =
    [|arm| whole_version(&arm.then.remote_seen), |arm| bare_version(&arm.then.remote_seen)];

fn whole_version(op: &FactOp<RemoteVersion>) -> Bson {
    match op {
        FactOp::Set(version) => written(version).into(),
        FactOp::Keep | FactOp::Clear => Bson::Null,
    }
}

fn bare_version(op: &FactOp<RemoteVersion>) -> Bson {
    match op {
        FactOp::Set(version) => version_parts(version).1,
        FactOp::Keep | FactOp::Clear => Bson::Null,
    }
}

fn set_version(
    op: &FactOp<RemoteVersion>,
    field: &str,
    [whole, bare]: GetVersion,
    draft: &mut Draft,
    values: &mut Values<'_>,
) {
    match op {
        FactOp::Keep => {}
        FactOp::Clear => draft.set(field, Bson::Null),
        FactOp::Set(version) => {
            let next = values.get(whole);
            let next = match draft.get(field) {
                Bson::String(path) => {
                    let is_older = compared("$gt", &path, version, bare, values);
                    cond(is_older, path.into(), next)
                }
                // There is none: the record or its incarnation is new.
                _ => next,
            };
            draft.set(field, next);
        }
    }
}

fn expect_echoes(op: &EchoesOp, draft: &mut Draft, values: &mut Values<'_>) {
    let mut content = || {
        values.get(|arm| match &arm.then.echoes {
            EchoesOp::Push(content) | EchoesOp::Remove(content) => content.as_str().into(),
            EchoesOp::Keep | EchoesOp::Clear => Bson::Null,
        })
    };
    match op {
        EchoesOp::Keep => {}
        EchoesOp::Push(_) => {
            draft.set("echoes", pushed(draft.get("echoes"), content(), SyncRecord::MAX_ECHOES));
        }
        EchoesOp::Remove(_) => {
            draft.set("echoes", without_first(&draft.get("echoes"), content()));
        }
        EchoesOp::Clear => draft.set("echoes", Vec::<Bson>::new()),
    }
}

fn held_now(kind: HeldKind, now: Now) -> Bson {
    bson!({ "kind": held_kind(kind), "since": now.expression() })
}

fn note_failure(op: &FailureOp, draft: &mut Draft, now: Now, values: &mut Values<'_>) {
    match op {
        FailureOp::Keep => {}
        FailureOp::Note(_) => {
            let failure = bson!({
                "class": values.get(|arm| noted(arm, |note| failure_class(note.class()).into())),
                "code": values.get(|arm| noted(arm, |note| text(note.code()))),
                "message": values.get(|arm| noted(arm, |note| note.message().into())),
                "first_at": or_else(draft.within("failure", "first_at"), now.expression()),
                "last_at": now.expression(),
            });
            draft.set("failure", failure);
        }
        FailureOp::Clear => draft.set("failure", Bson::Null),
    }
}

fn noted(arm: &Arm, get: fn(&FailureNote) -> Bson) -> Bson {
    match &arm.then.failure {
        FailureOp::Note(note) => get(note),
        FailureOp::Keep | FailureOp::Clear => Bson::Null,
    }
}

fn schedule(op: &RetryOp, draft: &mut Draft, now: Now, values: &mut Values<'_>) {
    match op {
        RetryOp::Keep => {}
        RetryOp::After(_) => {
            let span = values.get(|arm| match arm.then.retry_at {
                RetryOp::After(span) => number(Some(span.get())),
                RetryOp::Keep | RetryOp::Table(_) | RetryOp::Clear => Bson::Null,
            });
            draft.set("retry_at", now.plus(span));
        }
        RetryOp::Table(_) => {
            let waits = values.get(|arm| match &arm.then.retry_at {
                RetryOp::Table(table) => {
                    let waits = table.delays().iter().map(|span| number(Some(span.get())));
                    Bson::Array(waits.collect())
                }
                RetryOp::Keep | RetryOp::After(_) | RetryOp::Clear => Bson::Null,
            });
            let place = plus(highest(draft.get("attempts"), Bson::Int64(1)), -1);
            let is_left = bson!({ "$lt": [place.clone(), length(waits.clone())] });
            let wait = bson!({ "$arrayElemAt": [waits, place] });
            draft.set("retry_at", cond(is_left.clone(), now.plus(wait), Bson::Null));
            let dead = held_now(HeldKind::Dead, now);
            draft.set("held", cond(is_left, draft.get("held"), dead));
        }
        RetryOp::Clear => draft.set("retry_at", Bson::Null),
    }
}

fn set_lease(op: &LeaseOp, draft: &mut Draft, now: Now, values: &mut Values<'_>) {
    let mut until = || {
        now.plus(values.get(|arm| match arm.then.lease {
            LeaseOp::Grant { ttl, .. } | LeaseOp::Renew { ttl } => number(Some(ttl.get())),
            LeaseOp::Keep | LeaseOp::Drop => Bson::Null,
        }))
    };
    match op {
        LeaseOp::Keep => {}
        LeaseOp::Grant { .. } => {
            let until = until();
            let micros = bson!({ "$multiply": [now.millis(), Bson::Int64(1_000)] });
            let least = lowest(micros, Bson::Int64(whole(Token::MAX.get())));
            draft.set("token", highest(plus(draft.get("token"), 1), least));
            let claim_id = values.get(|arm| match &arm.then.lease {
                LeaseOp::Grant { claim_id, .. } => claim_id.to_string().into(),
                LeaseOp::Keep | LeaseOp::Renew { .. } | LeaseOp::Drop => Bson::Null,
            });
            draft.set("lease", bson!({ "claim_id": claim_id, "until": until }));
        }
        LeaseOp::Renew { .. } => {
            let claim_id = draft.within("lease", "claim_id");
            let renewed = bson!({ "claim_id": claim_id, "until": until() });
            draft.set("lease", cond(present(draft.get("lease")), renewed, Bson::Null));
        }
        LeaseOp::Drop => draft.set("lease", Bson::Null),
    }
}

fn set_metadata(op: &MetadataOp, draft: &mut Draft, values: &mut Values<'_>) {
    match op {
        MetadataOp::Keep => {}
        MetadataOp::Replace(_) => {
            let whole = values.get(|arm| match &arm.then.metadata {
                MetadataOp::Replace(whole) => entries(whole).into(),
                MetadataOp::Keep | MetadataOp::Merge(_) => Bson::Null,
            });
            draft.set("metadata", whole);
        }
        MetadataOp::Merge(_) => {
            let gone = values.get(|arm| {
                merged(arm, |merge| {
                    let set = merge.set().iter().map(|(key, _)| key);
                    let gone = merge.remove().iter().map(|key| &**key).chain(set);
                    gone.map(Bson::from).collect()
                })
            });
            let kept = bson!({ "$filter": {
                "input": draft.get("metadata"),
                "as": "entry",
                "cond": not(is_in("$$entry.key".into(), gone)),
            } });
            let set = values.get(|arm| merged(arm, |merge| entries(merge.set())));
            draft.set("metadata", joined(vec![kept, set]));
        }
    }
}

fn merged(arm: &Arm, get: fn(&MetadataMerge) -> Vec<Bson>) -> Bson {
    match &arm.then.metadata {
        MetadataOp::Merge(merge) => get(merge).into(),
        MetadataOp::Keep | MetadataOp::Replace(_) => Bson::Null,
    }
}
