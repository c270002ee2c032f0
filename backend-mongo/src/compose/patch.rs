//! The operations of an arm, as expressions.

use mongodb::bson::{Bson, bson};
use sync_tracker_core::{
    AliasesOp, AttemptsOp, ConflictOp, EchoesOp, ExternalIdOp, FactOp, FailureOp, FlagOp, HeldKind,
    HeldOp, IncarnationOp, InstantOp, LeaseOp, MetadataOp, Patch, RemoteVersion, RetryOp,
    RevisionOp, SyncRecord, SyncedAtOp, SyncedRevisionOp, Token,
};

use super::draft::Draft;
use super::guard::compared;
use crate::expression::{
    Now, all, any, cond, equal, highest, is_in, joined, literal, lowest, not, or_else, plus,
    present, pushed, unequal, without, without_first,
};
use crate::value::{
    conflict_kind, failure_class, held_kind, metadata as entries, remote_version as written, whole,
};

/// Translates `Patch::carry_out`.
pub(super) fn carry_out(patch: &Patch, draft: &mut Draft, now: Now) {
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
    set_external_id(external_id, draft);
    add_alias(aliases, draft);
    match revision {
        RevisionOp::Keep => {}
        RevisionOp::Next => draft.set("revision", plus(draft.get("revision"), 1)),
    }
    match synced_revision {
        SyncedRevisionOp::Keep => {}
        SyncedRevisionOp::Max(seen) => {
            let seen = lowest(Bson::Int64(whole(seen.get())), draft.get("revision"));
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
    set_version(remote_version, "remote_version", draft);
    set_version(remote_seen, "remote_seen", draft);
    match base {
        FactOp::Keep => {}
        FactOp::Set(content) => draft.set("base", literal(content.as_str())),
        FactOp::Clear => draft.set("base", Bson::Null),
    }
    expect_echoes(echoes, draft);
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
    note_failure(failure, draft, now);
    schedule(retry_at, draft, now);
    set_lease(lease, draft, now);
    match conflict {
        ConflictOp::Keep => {}
        ConflictOp::Open(kind) => {
            let since = or_else(draft.within("conflict", "since"), now.expression());
            draft.set("conflict", bson!({ "kind": conflict_kind(*kind), "since": since }));
        }
        ConflictOp::Clear => draft.set("conflict", Bson::Null),
    }
    set_metadata(metadata, draft);
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

fn set_external_id(op: &ExternalIdOp, draft: &mut Draft) {
    match op {
        ExternalIdOp::Keep => {}
        ExternalIdOp::Clear => draft.set("external_id", Bson::Null),
        ExternalIdOp::Set(id) => {
            let id = literal(id.as_str());
            draft.set("aliases", without(draft.get("aliases"), id.clone()));
            draft.set("external_id", id);
        }
        ExternalIdOp::Supersede(id) => {
            let id = literal(id.as_str());
            let old = draft.get("external_id");
            let is_other = all(vec![present(old.clone()), unequal(old.clone(), id.clone())]);
            let superseded = cond(is_other, Bson::Array(vec![old]), Bson::Array(Vec::new()));
            let others = without(draft.get("aliases"), id.clone());
            draft.set("aliases", joined(vec![others, superseded]));
            draft.set("external_id", id);
        }
    }
}

fn add_alias(op: &AliasesOp, draft: &mut Draft) {
    match op {
        AliasesOp::Keep => {}
        AliasesOp::Add(id) => {
            let id = literal(id.as_str());
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

fn set_version(op: &FactOp<RemoteVersion>, field: &str, draft: &mut Draft) {
    match op {
        FactOp::Keep => {}
        FactOp::Clear => draft.set(field, Bson::Null),
        FactOp::Set(version) => {
            let next = literal(written(version));
            let next = match draft.get(field) {
                Bson::String(path) => {
                    let is_older = compared("$gt", &path, version);
                    cond(is_older, path.into(), next)
                }
                // There is none: the record or its incarnation is new.
                _ => next,
            };
            draft.set(field, next);
        }
    }
}

fn expect_echoes(op: &EchoesOp, draft: &mut Draft) {
    match op {
        EchoesOp::Keep => {}
        EchoesOp::Push(content) => {
            let content = literal(content.as_str());
            draft.set("echoes", pushed(draft.get("echoes"), content, SyncRecord::MAX_ECHOES));
        }
        EchoesOp::Remove(content) => {
            let content = literal(content.as_str());
            draft.set("echoes", without_first(&draft.get("echoes"), content));
        }
        EchoesOp::Clear => draft.set("echoes", Vec::<Bson>::new()),
    }
}

fn held_now(kind: HeldKind, now: Now) -> Bson {
    bson!({ "kind": held_kind(kind), "since": now.expression() })
}

fn note_failure(op: &FailureOp, draft: &mut Draft, now: Now) {
    match op {
        FailureOp::Keep => {}
        FailureOp::Note(note) => {
            let failure = bson!({
                "class": failure_class(note.class()),
                "code": note.code().map_or(Bson::Null, literal),
                "message": literal(note.message()),
                "first_at": or_else(draft.within("failure", "first_at"), now.expression()),
                "last_at": now.expression(),
            });
            draft.set("failure", failure);
        }
        FailureOp::Clear => draft.set("failure", Bson::Null),
    }
}

fn schedule(op: &RetryOp, draft: &mut Draft, now: Now) {
    match op {
        RetryOp::Keep => {}
        RetryOp::After(span) => draft.set("retry_at", now.plus_millis(*span)),
        RetryOp::Table(table) => {
            let delays = table.delays();
            let waits: Vec<_> = delays.iter().map(|span| Bson::Int64(whole(span.get()))).collect();
            let place = plus(highest(draft.get("attempts"), Bson::Int64(1)), -1);
            let is_left = bson!({ "$lt": [place.clone(), Bson::Int64(whole(delays.len()))] });
            let wait = bson!({ "$arrayElemAt": [waits, place] });
            draft.set("retry_at", cond(is_left.clone(), now.plus(wait), Bson::Null));
            let dead = held_now(HeldKind::Dead, now);
            draft.set("held", cond(is_left, draft.get("held"), dead));
        }
        RetryOp::Clear => draft.set("retry_at", Bson::Null),
    }
}

fn set_lease(op: &LeaseOp, draft: &mut Draft, now: Now) {
    match op {
        LeaseOp::Keep => {}
        LeaseOp::Grant { claim_id, ttl } => {
            let micros = bson!({ "$multiply": [now.millis(), Bson::Int64(1_000)] });
            let least = lowest(micros, Bson::Int64(whole(Token::MAX.get())));
            draft.set("token", highest(plus(draft.get("token"), 1), least));
            let lease = bson!({
                "claim_id": literal(claim_id.to_string()),
                "until": now.plus_millis(*ttl),
            });
            draft.set("lease", lease);
        }
        LeaseOp::Renew { ttl } => {
            let renewed = bson!({
                "claim_id": draft.within("lease", "claim_id"),
                "until": now.plus_millis(*ttl),
            });
            draft.set("lease", cond(present(draft.get("lease")), renewed, Bson::Null));
        }
        LeaseOp::Drop => draft.set("lease", Bson::Null),
    }
}

fn set_metadata(op: &MetadataOp, draft: &mut Draft) {
    match op {
        MetadataOp::Keep => {}
        MetadataOp::Replace(whole) => draft.set("metadata", literal(entries(whole))),
        MetadataOp::Merge(merge) => {
            let set = merge.set().iter().map(|(key, _)| key);
            let gone = merge.remove().iter().map(|key| &**key).chain(set);
            let gone: Vec<Bson> = gone.map(Bson::from).collect();
            let kept = bson!({ "$filter": {
                "input": draft.get("metadata"),
                "as": "entry",
                "cond": not(is_in("$$entry.key".into(), literal(gone))),
            } });
            draft.set("metadata", joined(vec![kept, literal(entries(merge.set()))]));
        }
    }
}
