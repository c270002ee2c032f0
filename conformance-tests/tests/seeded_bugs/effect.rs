//! Bugs in what operations make of a record, as an edit of what they should have made.

use serde_json::{Map, Value};
use sync_tracker_core::{
    AliasesOp, AttemptsOp, ConflictOp, EchoesOp, FactOp, FailureOp, Incarnation, IncarnationOp,
    LeaseOp, Metadata, MetadataMerge, MetadataOp, Patch, RecentChanges, RemoteVersion, RevisionOp,
    SyncRecord, SyncedAtOp, Timestamp, Token,
};

use crate::bug::Bug;
use crate::version;

/// What the bug makes of the record that the patch made of `before`.
pub(crate) fn spoiled(
    bug: Option<Bug>,
    patch: &Patch,
    before: Option<&SyncRecord>,
    now: Timestamp,
    mut next: SyncRecord,
) -> SyncRecord {
    let Some(bug) = bug else { return next };
    counters(bug, patch, before, now, &mut next);
    lease(bug, patch, before, now, &mut next);
    metadata(bug, patch, before, &mut next);
    let begins = patch.incarnation == IncarnationOp::Next;
    let kept = before.filter(|_| !begins);
    let versions = [
        (&patch.remote_version, &mut next.remote_version, kept.map(|kept| &kept.remote_version)),
        (&patch.remote_seen, &mut next.remote_seen, kept.map(|kept| &kept.remote_seen)),
    ];
    for (op, there, before) in versions {
        remote_version(bug, op, there, before.and_then(Option::as_ref));
    }
    match bug {
        Bug::RingOfOne => remember(&mut next, 1),
        Bug::RingOfFifteen => remember(&mut next, 15),
        Bug::SyncedAtGoesBack if patch.synced_at == SyncedAtOp::Now => next.synced_at = Some(now),
        Bug::FirstFailureForgotten if matches!(patch.failure, FailureOp::Note(_)) => {
            next.failure.iter_mut().for_each(|failure| failure.first_at = failure.last_at);
        }
        Bug::IdInherited if begins => {
            next.external_id = before.and_then(|before| before.external_id.clone());
        }
        Bug::DueByLastEdit if patch.revision == RevisionOp::Next && next.is_dirty() => {
            next.pending_since = Some(now);
        }
        Bug::FifthEchoKept => {
            if let (EchoesOp::Push(_), Some(kept)) = (&patch.echoes, kept)
                && kept.echoes.len() == SyncRecord::MAX_ECHOES
            {
                next.echoes.insert(0, kept.echoes[0].clone());
            }
        }
        Bug::NewEchoDropped => {
            if let (EchoesOp::Push(_), Some(before)) = (&patch.echoes, before)
                && before.echoes.len() == SyncRecord::MAX_ECHOES
            {
                next.echoes.clone_from(&before.echoes);
            }
        }
        Bug::ConflictOpenedAgain if matches!(patch.conflict, ConflictOp::Open(_)) => {
            next.conflict.iter_mut().for_each(|open| open.since = now);
        }
        Bug::AliasDropsOthers if patch.aliases != AliasesOp::Keep => {
            let last = next.aliases.pop();
            next.aliases = last.into_iter().collect();
        }
        Bug::AllEchoesRemoved => {
            if let EchoesOp::Remove(content) = &patch.echoes {
                next.echoes.retain(|echo| echo != content);
            }
        }
        _ => {}
    }
    next
}

fn remote_version(
    bug: Bug,
    op: &FactOp<RemoteVersion>,
    there: &mut Option<RemoteVersion>,
    before: Option<&RemoteVersion>,
) {
    if let FactOp::Set(version) = op
        && let Some(set) = version::set(bug, version, before)
    {
        *there = Some(set);
    }
}

pub(crate) fn remember(next: &mut SyncRecord, capacity: usize) {
    let ids: Vec<_> = next.recent_changes.iter().collect();
    let kept = ids[ids.len().saturating_sub(capacity)..].to_vec();
    next.recent_changes = RecentChanges::try_from(kept).expect("fewer than before");
}

fn counters(
    bug: Bug,
    patch: &Patch,
    before: Option<&SyncRecord>,
    now: Timestamp,
    next: &mut SyncRecord,
) {
    let charged = patch.attempts == AttemptsOp::Charge;
    let old = before.map_or(0, |before| before.incarnation.get());
    let begins = before.is_none() || patch.incarnation == IncarnationOp::Next;
    match bug {
        Bug::AttemptsDoubled if charged => next.attempts = next.attempts.saturating_add(1),
        Bug::AttemptsWrap if charged => {
            next.attempts = before.map_or(0, |before| before.attempts).wrapping_add(1);
        }
        Bug::IncarnationByClock if begins => {
            let millis = u64::try_from(now.as_millis()).expect("after 1970");
            next.incarnation = Incarnation::new(millis).expect("within range");
        }
        Bug::IncarnationByCount if begins => {
            next.incarnation = Incarnation::new(old + 1).expect("within range");
        }
        _ => {}
    }
}

fn lease(
    bug: Bug,
    patch: &Patch,
    before: Option<&SyncRecord>,
    now: Timestamp,
    next: &mut SyncRecord,
) {
    let old = before.map_or(Token::ZERO, |before| before.token);
    let held = before.and_then(|before| before.lease.as_ref());
    let micros = u64::try_from(now.as_millis()).expect("after 1970") * 1_000;
    match (bug, &patch.lease) {
        (Bug::TokensByCount, LeaseOp::Grant { .. }) => next.token = token(old.get() + 1),
        (Bug::TokensByClock, LeaseOp::Grant { .. }) => next.token = token(micros),
        (Bug::TokensKeptOnExpiry, LeaseOp::Grant { .. }) if held.is_some() => next.token = old,
        (Bug::RenewedByNewToken, LeaseOp::Renew { .. }) => next.token = token(old.get() + 1),
        (Bug::RenewedFromItsEnd, LeaseOp::Renew { ttl }) => {
            if let (Some(lease), Some(held)) = (&mut next.lease, held) {
                lease.until = held.until.plus(*ttl);
            }
        }
        (Bug::ExpiredStaysDue, LeaseOp::Grant { .. }) => {
            if let (Some(lease), Some(held)) = (&mut next.lease, held) {
                lease.until = held.until;
            }
        }
        (Bug::EveryVanishedInDoubt, LeaseOp::Grant { .. }) if held.is_some() => {
            next.in_doubt = true;
        }
        _ => {}
    }
}

fn token(number: u64) -> Token {
    Token::new(number).expect("within range")
}

fn metadata(bug: Bug, patch: &Patch, before: Option<&SyncRecord>, next: &mut SyncRecord) {
    let MetadataOp::Merge(merge) = &patch.metadata else { return };
    let mut map = next.metadata.as_map().clone();
    match bug {
        Bug::MergedDeep => {
            let mut old = before.map(|before| before.metadata.as_map().clone()).unwrap_or_default();
            merge.remove().iter().for_each(|key| drop(old.remove(&**key)));
            merge_deep(&mut old, merge.set().as_map());
            map = old;
        }
        Bug::RemovedAsNull => removed(merge).for_each(|key| {
            map.insert(key.to_owned(), Value::Null);
        }),
        Bug::NullRemoves => {
            let nulls = merge.set().iter().filter(|(_, value)| value.is_null());
            nulls.for_each(|(key, _)| drop(map.remove(key)));
        }
        Bug::RemovedAfterSet => merge.remove().iter().for_each(|key| drop(map.remove(&**key))),
        _ => {}
    }
    next.metadata = Metadata::accumulated(Value::Object(map)).expect("as valid as before");
}

/// The keys that a merge removes and does not set.
fn removed(merge: &MetadataMerge) -> impl Iterator<Item = &str> {
    let keys = merge.remove().iter().map(|key| &**key);
    keys.filter(|key| merge.set().get(key).is_none())
}

fn merge_deep(into: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (Some(Value::Object(into)), Value::Object(from)) => merge_deep(into, from),
            _ => drop(into.insert(key.clone(), value.clone())),
        }
    }
}

/// What a refusal leaves behind: the record with one change more among its recent ones.
pub(crate) fn remembering(record: &SyncRecord, change: sync_tracker_core::ChangeId) -> SyncRecord {
    let ids = record.recent_changes.iter().chain([change]).collect::<Vec<_>>();
    let kept = ids[ids.len().saturating_sub(RecentChanges::CAPACITY)..].to_vec();
    let recent_changes = RecentChanges::try_from(kept).expect("at most as many as may be");
    SyncRecord { recent_changes, ..record.clone() }
}
