//! The operations of an arm, as expressions.

use sync_tracker_core::{
    AliasesOp, Arm, AttemptsOp, ConflictOp, EchoesOp, ExternalIdOp, FactOp, FailureOp, Fingerprint,
    FlagOp, HeldOp, IncarnationOp, InstantOp, LeaseOp, MetadataOp, Patch, RemoteVersion, RetryOp,
    RevisionOp, SyncRecord, SyncedAtOp, SyncedRevisionOp, Timestamp,
};

use super::draft::Draft;
use super::{Get, Params};
use crate::value::{Kind, Value, conflict_kind, failure_class, remote_version};

/// Translates `Patch::carry_out`.
pub(super) fn carry_out(patch: &Patch, to: &mut Draft, arm: usize, params: &mut Params) {
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
    if *incarnation == IncarnationOp::Next {
        next_incarnation(to);
    }
    set_external_id(external_id, to, arm, params);
    add_alias(aliases, to, arm, params);
    if *revision == RevisionOp::Next {
        to.set("revision", format!("{} + 1", to.get("revision")));
    }
    match synced_revision {
        SyncedRevisionOp::Keep => {}
        SyncedRevisionOp::Max(_) => {
            let seen = params.add(arm, Kind::Int, |arm| match arm.then.synced_revision {
                SyncedRevisionOp::Max(seen) => Value::int(seen.get()),
                SyncedRevisionOp::Keep | SyncedRevisionOp::ToRevision => Value::Int(None),
            });
            let (synced, revision) = (to.get("synced_revision"), to.get("revision"));
            to.set("synced_revision", format!("greatest({synced}, least({seen}, {revision}))"));
        }
        SyncedRevisionOp::ToRevision => to.set("synced_revision", to.get("revision")),
    }
    instant(*updated_at, "updated_at", to);
    instant(*deleted_at, "deleted_at", to);
    instant(*remote_deleted_at, "remote_deleted_at", to);
    instant(*sighted_at, "sighted_at", to);
    match synced_at {
        SyncedAtOp::Keep => {}
        SyncedAtOp::Now => {
            to.set("synced_at", format!("greatest({}, o.now)", to.get("synced_at")));
        }
        SyncedAtOp::Clear => to.set("synced_at", "NULL::bigint"),
    }
    facts(remote_version, remote_seen, base, echoes, to, arm, params);
    match attempts {
        AttemptsOp::Keep => {}
        AttemptsOp::Reset => to.set("attempts", "0::bigint"),
        AttemptsOp::Charge => {
            to.set("attempts", format!("least({} + 1, {})", to.get("attempts"), u32::MAX));
        }
        AttemptsOp::GiveBack => {
            to.set("attempts", format!("greatest({} - 1, 0)", to.get("attempts")));
        }
    }
    match in_doubt {
        FlagOp::Keep => {}
        FlagOp::Set => to.set("in_doubt", "true"),
        FlagOp::Clear => to.set("in_doubt", "false"),
    }
    match held {
        HeldOp::Keep => {}
        HeldOp::Dead => hold("'dead'", "o.now", to),
        HeldOp::Dismissed => hold("'dismissed'", "o.now", to),
        HeldOp::Clear => hold("NULL::text", "NULL::bigint", to),
    }
    note_failure(failure, to, arm, params);
    schedule(retry_at, to, arm, params);
    set_lease(lease, to, arm, params);
    match conflict {
        ConflictOp::Keep => {}
        ConflictOp::Open(_) => {
            let kind = params.add(arm, Kind::Text, |arm| match arm.then.conflict {
                ConflictOp::Open(kind) => Value::text(conflict_kind(kind)),
                ConflictOp::Keep | ConflictOp::Clear => Value::Text(None),
            });
            to.set("conflict_kind", kind);
            to.set("conflict_since", format!("coalesce({}, o.now)", to.get("conflict_since")));
        }
        ConflictOp::Clear => {
            to.set("conflict_kind", "NULL::text");
            to.set("conflict_since", "NULL::bigint");
        }
    }
    set_metadata(metadata, to, arm, params);
}

/// Translates the end of `Change::apply_to`: what is derived in the same step.
pub(super) fn derive(to: &mut Draft, arm: usize, change_id: &str) {
    let (revision, synced) = (to.get("revision"), to.get("synced_revision"));
    if !to.is_of_record() {
        to.set("pending_since", format!("CASE WHEN {revision} > {synced} THEN o.now END"));
    } else if revision != "o.revision" || synced != "o.synced_revision" {
        to.set(
            "pending_since",
            format!(
                "CASE WHEN {revision} <= {synced} THEN NULL \
                 WHEN o.revision > o.synced_revision AND o.synced_revision = {synced} \
                 THEN o.pending_since ELSE o.now END"
            ),
        );
    }
    to.set("version", format!("{} + 1", to.get("version")));
    let recent = to.get("recent_changes");
    to.set(
        "recent_changes",
        format!(
            "substr({recent} || int8send({change_id}), \
             greatest(1, octet_length({recent}) - {}))",
            RING - 8 - 1
        ),
    );
    to.set("last_arm", format!("{arm}::smallint"));
}

/// The bytes of the ids that a record remembers.
const RING: usize = 8 * sync_tracker_core::RecentChanges::CAPACITY;

fn next_incarnation(to: &mut Draft) {
    to.set("incarnation", format!("greatest({} + 1, o.now)", to.get("incarnation")));
    for column in ["external_id", "remote_version", "remote_seen", "base"] {
        to.set(column, "NULL::text");
    }
    for column in ["aliases", "echoes"] {
        to.set(column, "NULL::text[]");
    }
    to.set("synced_revision", "0::bigint");
    to.set("created_at", "o.now");
    to.set("remote_deleted_at", "NULL::bigint");
    to.set("sighted_at", "NULL::bigint");
    to.set("in_doubt", "false");
}

fn set_external_id(op: &ExternalIdOp, to: &mut Draft, arm: usize, params: &mut Params) {
    let mut id = || {
        params.add(arm, Kind::Text, |arm| match &arm.then.external_id {
            ExternalIdOp::Set(id) | ExternalIdOp::Supersede(id) => Value::text(id.as_str()),
            ExternalIdOp::Keep | ExternalIdOp::Clear => Value::Text(None),
        })
    };
    let (before, aliases) = (to.get("external_id"), to.get("aliases"));
    match op {
        ExternalIdOp::Keep => {}
        ExternalIdOp::Set(_) => {
            let id = id();
            to.set("aliases", format!("nullif(array_remove({aliases}, {id}), '{{}}')"));
            to.set("external_id", id);
        }
        ExternalIdOp::Clear => to.set("external_id", "NULL::text"),
        ExternalIdOp::Supersede(_) => {
            let id = id();
            let others = format!("array_remove({aliases}, {id})");
            to.set(
                "aliases",
                format!(
                    "CASE WHEN {before} <> {id} THEN array_append({others}, {before}) \
                     ELSE nullif({others}, '{{}}') END"
                ),
            );
            to.set("external_id", id);
        }
    }
}

fn add_alias(op: &AliasesOp, to: &mut Draft, arm: usize, params: &mut Params) {
    if let AliasesOp::Add(_) = op {
        let id = params.add(arm, Kind::Text, |arm| match &arm.then.aliases {
            AliasesOp::Add(id) => Value::text(id.as_str()),
            AliasesOp::Keep => Value::Text(None),
        });
        let (own, aliases) = (to.get("external_id"), to.get("aliases"));
        to.set(
            "aliases",
            format!(
                "CASE WHEN {id} = {own} OR {id} = ANY ({aliases}) THEN {aliases} \
                 ELSE array_append({aliases}, {id}) END"
            ),
        );
    }
}

fn instant(op: InstantOp, column: &'static str, to: &mut Draft) {
    match op {
        InstantOp::Keep => {}
        InstantOp::Now => to.set(column, "o.now"),
        InstantOp::NowIfNone => to.set(column, format!("coalesce({}, o.now)", to.get(column))),
        InstantOp::Clear => to.set(column, "NULL::bigint"),
    }
}

/// As soon as one of the facts is set, all four are bound, and null keeps: see `Shape`.
fn facts(
    version: &FactOp<RemoteVersion>,
    seen: &FactOp<RemoteVersion>,
    base: &FactOp<Fingerprint>,
    echoes: &EchoesOp,
    to: &mut Draft,
    arm: usize,
    params: &mut Params,
) {
    let any_set = matches!(version, FactOp::Set(_))
        || matches!(seen, FactOp::Set(_))
        || matches!(base, FactOp::Set(_));
    let mut set_version = |op: &FactOp<RemoteVersion>, column, get: Get| match op {
        FactOp::Keep if !any_set => {}
        FactOp::Clear => to.set(column, "NULL::text"),
        FactOp::Keep | FactOp::Set(_) => {
            let value = params.add(arm, Kind::Text, get);
            let there = to.get(column);
            to.set(
                column,
                format!(
                    "CASE WHEN {value} IS NULL OR (left({value}, 1) = left({there}, 1) \
                     AND left({value}, 1) <> 'o' AND {value} < {there}) THEN {there} \
                     ELSE {value} END"
                ),
            );
        }
    };
    set_version(version, "remote_version", |arm: &Arm| written(&arm.then.remote_version));
    set_version(seen, "remote_seen", |arm: &Arm| written(&arm.then.remote_seen));
    match base {
        FactOp::Keep if !any_set => {}
        FactOp::Clear => to.set("base", "NULL::text"),
        FactOp::Keep | FactOp::Set(_) => {
            let value = params.add(arm, Kind::Text, |arm| match &arm.then.base {
                FactOp::Set(content) => Value::text(content.as_str()),
                FactOp::Keep | FactOp::Clear => Value::Text(None),
            });
            to.set("base", format!("coalesce({value}, {})", to.get("base")));
        }
    }
    let content = |params: &mut Params| {
        params.add(arm, Kind::Text, |arm| match &arm.then.echoes {
            EchoesOp::Push(content) | EchoesOp::Remove(content) => Value::text(content.as_str()),
            EchoesOp::Keep | EchoesOp::Clear => Value::Text(None),
        })
    };
    let there = to.get("echoes");
    match echoes {
        EchoesOp::Keep if !any_set => {}
        EchoesOp::Push(_) => {
            let content = content(params);
            let most = SyncRecord::MAX_ECHOES;
            to.set(
                "echoes",
                format!(
                    "array_append(CASE WHEN cardinality({there}) < {most} THEN {there} \
                     ELSE ({there})[2:] END, {content})"
                ),
            );
        }
        EchoesOp::Keep | EchoesOp::Remove(_) => {
            let at = format!("array_position({there}, {})", content(params));
            to.set(
                "echoes",
                format!(
                    "CASE WHEN {at} IS NULL THEN {there} \
                     ELSE nullif(({there})[:{at} - 1] || ({there})[{at} + 1:], '{{}}') END"
                ),
            );
        }
        EchoesOp::Clear => to.set("echoes", "NULL::text[]"),
    }
}

fn written(op: &FactOp<RemoteVersion>) -> Value<'_> {
    match op {
        FactOp::Set(version) => Value::owned(remote_version(version)),
        FactOp::Keep | FactOp::Clear => Value::Text(None),
    }
}

fn hold(kind: &str, since: &str, to: &mut Draft) {
    to.set("held_kind", kind);
    to.set("held_since", since);
}

fn note_failure(op: &FailureOp, to: &mut Draft, arm: usize, params: &mut Params) {
    match op {
        FailureOp::Keep => {}
        FailureOp::Note(_) => {
            let class = params.add(arm, Kind::Text, |arm| match &arm.then.failure {
                FailureOp::Note(note) => Value::text(failure_class(note.class())),
                FailureOp::Keep | FailureOp::Clear => Value::Text(None),
            });
            let code = params.add(arm, Kind::Text, |arm| match &arm.then.failure {
                FailureOp::Note(note) => Value::Text(note.code().map(Into::into)),
                FailureOp::Keep | FailureOp::Clear => Value::Text(None),
            });
            let message = params.add(arm, Kind::Text, |arm| match &arm.then.failure {
                FailureOp::Note(note) => Value::text(note.message()),
                FailureOp::Keep | FailureOp::Clear => Value::Text(None),
            });
            to.set("failure_class", class);
            to.set("failure_code", code);
            to.set("failure_message", message);
            let first = to.get("failure_first_at");
            to.set("failure_first_at", format!("coalesce({first}, o.now)"));
            to.set("failure_last_at", "o.now");
        }
        FailureOp::Clear => {
            for column in ["failure_class", "failure_code", "failure_message"] {
                to.set(column, "NULL::text");
            }
            to.set("failure_first_at", "NULL::bigint");
            to.set("failure_last_at", "NULL::bigint");
        }
    }
}

/// The instant so much after now, which no calendar ends before.
fn later(span: &str) -> String {
    format!("least(o.now + {span}, {})", Timestamp::MAX.as_millis())
}

fn schedule(op: &RetryOp, to: &mut Draft, arm: usize, params: &mut Params) {
    match op {
        RetryOp::Keep => {}
        RetryOp::After(_) => {
            let span = params.add(arm, Kind::Int, |arm| match &arm.then.retry_at {
                RetryOp::After(span) => Value::int(span.get()),
                RetryOp::Keep | RetryOp::Table(_) | RetryOp::Clear => Value::Int(None),
            });
            to.set("retry_at", later(&span));
        }
        RetryOp::Table(_) => {
            let table = params.add(arm, Kind::Text, |arm| match &arm.then.retry_at {
                RetryOp::Table(table) => {
                    let delays: Vec<_> =
                        table.delays().iter().map(|delay| delay.get().to_string()).collect();
                    Value::owned(format!("{{{}}}", delays.join(",")))
                }
                RetryOp::Keep | RetryOp::After(_) | RetryOp::Clear => Value::Text(None),
            });
            let table = format!("{table}::bigint[]");
            // Past the end of every table, and within an int.
            let at = format!("least(greatest({}, 1), 1000)::int", to.get("attempts"));
            let within = format!("{at} <= cardinality({table})");
            let (kind, since) = (to.get("held_kind"), to.get("held_since"));
            let due = later(&format!("({table})[{at}]"));
            to.set("retry_at", format!("CASE WHEN {within} THEN {due} END"));
            to.set("held_kind", format!("CASE WHEN {within} THEN {kind} ELSE 'dead' END"));
            to.set("held_since", format!("CASE WHEN {within} THEN {since} ELSE o.now END"));
        }
        RetryOp::Clear => to.set("retry_at", "NULL::bigint"),
    }
}

fn set_lease(op: &LeaseOp, to: &mut Draft, arm: usize, params: &mut Params) {
    let ttl = |params: &mut Params| {
        params.add(arm, Kind::Int, |arm| match &arm.then.lease {
            LeaseOp::Grant { ttl, .. } | LeaseOp::Renew { ttl } => Value::int(ttl.get()),
            LeaseOp::Keep | LeaseOp::Drop => Value::Int(None),
        })
    };
    match op {
        LeaseOp::Keep => {}
        LeaseOp::Grant { .. } => {
            let ttl = ttl(params);
            let claim = params.add(arm, Kind::Text, |arm| match &arm.then.lease {
                LeaseOp::Grant { claim_id, .. } => Value::owned(claim_id.to_string()),
                LeaseOp::Keep | LeaseOp::Renew { .. } | LeaseOp::Drop => Value::Text(None),
            });
            to.set("token", format!("greatest({} + 1, o.now * 1000)", to.get("token")));
            to.set("lease_claim", claim);
            to.set("lease_until", later(&ttl));
        }
        LeaseOp::Renew { .. } => {
            let until = later(&ttl(params));
            let there = to.get("lease_until");
            to.set("lease_until", format!("CASE WHEN {there} IS NOT NULL THEN {until} END"));
        }
        LeaseOp::Drop => {
            to.set("lease_claim", "NULL::text");
            to.set("lease_until", "NULL::bigint");
        }
    }
}

fn set_metadata(op: &MetadataOp, to: &mut Draft, arm: usize, params: &mut Params) {
    match op {
        MetadataOp::Keep => {}
        MetadataOp::Replace(_) => {
            let whole = params.add(arm, Kind::Text, |arm| match &arm.then.metadata {
                MetadataOp::Replace(whole) => json(whole),
                MetadataOp::Keep | MetadataOp::Merge(_) => Value::Text(None),
            });
            to.set("metadata", format!("{whole}::jsonb"));
        }
        MetadataOp::Merge(_) => {
            let set = params.add(arm, Kind::Text, |arm| match &arm.then.metadata {
                MetadataOp::Merge(merge) => json(merge.set()),
                MetadataOp::Keep | MetadataOp::Replace(_) => Value::Text(None),
            });
            let remove = params.add(arm, Kind::Text, |arm| match &arm.then.metadata {
                MetadataOp::Merge(merge) => json(merge.remove()),
                MetadataOp::Keep | MetadataOp::Replace(_) => Value::Text(None),
            });
            let there = to.get("metadata");
            to.set(
                "metadata",
                format!(
                    "({there} - ARRAY(SELECT jsonb_array_elements_text({remove}::jsonb))) \
                     || {set}::jsonb"
                ),
            );
        }
    }
}

/// Text and maps of JSON values are always JSON; null would be refused by the column.
fn json(value: &(impl serde::Serialize + ?Sized)) -> Value<'static> {
    Value::Text(serde_json::to_string(value).ok().map(Into::into))
}
