//! The operations of an arm, as statements.

use sync_tracker_core::{
    AliasesOp, Arm, AttemptsOp, ConflictOp, EchoesOp, ExternalIdOp, FactOp, FailureOp, Fingerprint,
    FlagOp, HeldOp, IncarnationOp, InstantOp, LeaseOp, MetadataOp, Patch, RemoteVersion, RetryOp,
    RevisionOp, SyncRecord, SyncedAtOp, SyncedRevisionOp, Timestamp, Token,
};

use super::{Get, Params};
use crate::packed::Writer;
use crate::value::{conflict_kind, failure_class, metadata as packed, remote_version};

/// Where statements go, and what they take.
struct Statements<'a> {
    to: &'a mut String,
    params: &'a mut Params,
    arm: usize,
}

impl Statements<'_> {
    fn say(&mut self, statement: &str) {
        self.to.push_str(statement);
        self.to.push('\n');
    }

    /// A statement with a value in place of each `?`.
    fn say_with(&mut self, statement: &str, get: Get) {
        let value = self.params.add(self.arm, get);
        self.say(&statement.replace('?', &value));
    }
}

/// Translates `Patch::carry_out`.
pub(super) fn carry_out(patch: &Patch, to: &mut String, arm: usize, params: &mut Params) {
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
    let to = &mut Statements { to, params, arm };
    match incarnation {
        IncarnationOp::Keep => {}
        IncarnationOp::Next => to.say(NEXT_INCARNATION),
    }
    set_external_id(external_id, to);
    match aliases {
        AliasesOp::Keep => {}
        AliasesOp::Add(_) => to.say_with(
            "if $external_id ~= ? and not has($aliases, ?) then $aliases = with($aliases, ?) end",
            |arm| match &arm.then.aliases {
                AliasesOp::Add(id) => id.as_str().into(),
                AliasesOp::Keep => Vec::new(),
            },
        ),
    }
    match revision {
        RevisionOp::Keep => {}
        RevisionOp::Next => to.say("$revision = $revision + 1"),
    }
    match synced_revision {
        SyncedRevisionOp::Keep => {}
        SyncedRevisionOp::Max(_) => to.say_with(
            "$synced_revision = math.max($synced_revision, math.min(tonumber(?), $revision))",
            |arm| match arm.then.synced_revision {
                SyncedRevisionOp::Max(seen) => decimal(seen.get()),
                SyncedRevisionOp::Keep | SyncedRevisionOp::ToRevision => Vec::new(),
            },
        ),
        SyncedRevisionOp::ToRevision => to.say("$synced_revision = $revision"),
    }
    instant(*updated_at, "$updated_at", to);
    instant(*deleted_at, "$deleted_at", to);
    instant(*remote_deleted_at, "$remote_deleted_at", to);
    instant(*sighted_at, "$sighted_at", to);
    match synced_at {
        SyncedAtOp::Keep => {}
        SyncedAtOp::Now => to.say("$synced_at = math.max($synced_at or now, now)"),
        SyncedAtOp::Clear => to.say("$synced_at = nil"),
    }
    facts(remote_version, remote_seen, base, echoes, to);
    to.say(match attempts {
        AttemptsOp::Keep => "",
        AttemptsOp::Reset => "$attempts = 0",
        AttemptsOp::Charge => "$attempts = math.min($attempts + 1, 4294967295)",
        AttemptsOp::GiveBack => "$attempts = math.max($attempts - 1, 0)",
    });
    to.say(match in_doubt {
        FlagOp::Keep => "",
        FlagOp::Set => "$in_doubt = true",
        FlagOp::Clear => "$in_doubt = false",
    });
    to.say(match held {
        HeldOp::Keep => "",
        HeldOp::Dead => "$held_kind, $held_since = 1, now",
        HeldOp::Dismissed => "$held_kind, $held_since = 2, now",
        HeldOp::Clear => "$held_kind, $held_since = nil, nil",
    });
    note_failure(failure, to);
    schedule(retry_at, to);
    set_lease(lease, to);
    match conflict {
        ConflictOp::Keep => {}
        ConflictOp::Open(_) => to.say_with(
            "$conflict_kind, $conflict_since = tonumber(?), $conflict_since or now",
            |arm| match arm.then.conflict {
                ConflictOp::Open(kind) => conflict_kind(kind).to_string().into(),
                ConflictOp::Keep | ConflictOp::Clear => Vec::new(),
            },
        ),
        ConflictOp::Clear => to.say("$conflict_kind, $conflict_since = nil, nil"),
    }
    set_metadata(metadata, to);
}

const NEXT_INCARNATION: &str = "$incarnation = math.max($incarnation + 1, now)
$external_id, $aliases, $synced_revision, $created_at, $in_doubt = nil, nil, 0, now, false
$remote_version, $remote_seen, $remote_deleted_at, $sighted_at = nil, nil, nil, nil
$base, $echoes = nil, nil";

fn decimal(number: u64) -> Vec<u8> {
    number.to_string().into()
}

fn set_external_id(op: &ExternalIdOp, to: &mut Statements<'_>) {
    let id: Get = |arm| match &arm.then.external_id {
        ExternalIdOp::Set(id) | ExternalIdOp::Supersede(id) => id.as_str().into(),
        ExternalIdOp::Keep | ExternalIdOp::Clear => Vec::new(),
    };
    match op {
        ExternalIdOp::Keep => {}
        ExternalIdOp::Clear => to.say("$external_id = nil"),
        ExternalIdOp::Set(_) => {
            to.say_with("$aliases, $external_id = without_first($aliases, ?), ?", id);
        }
        ExternalIdOp::Supersede(_) => to.say_with(
            "$aliases = without_first($aliases, ?)
if $external_id and $external_id ~= ? then $aliases = with($aliases, $external_id) end
$external_id = ?",
            id,
        ),
    }
}

fn instant(op: InstantOp, field: &str, to: &mut Statements<'_>) {
    match op {
        InstantOp::Keep => {}
        InstantOp::Now => to.say(&format!("{field} = now")),
        InstantOp::NowIfNone => to.say(&format!("{field} = {field} or now")),
        InstantOp::Clear => to.say(&format!("{field} = nil")),
    }
}

/// As soon as one of the facts is set, all four are arguments, and none keeps: see `Shape`.
fn facts(
    version: &FactOp<RemoteVersion>,
    seen: &FactOp<RemoteVersion>,
    base: &FactOp<Fingerprint>,
    echoes: &EchoesOp,
    to: &mut Statements<'_>,
) {
    let any_set = matches!(version, FactOp::Set(_))
        || matches!(seen, FactOp::Set(_))
        || matches!(base, FactOp::Set(_));
    let mut set_version = |op: &FactOp<RemoteVersion>, field: &str, get: Get| match op {
        FactOp::Keep if !any_set => {}
        FactOp::Clear => to.say(&format!("{field} = nil")),
        FactOp::Keep | FactOp::Set(_) => {
            to.say_with(&format!("{field} = newest({field}, ?)"), get);
        }
    };
    set_version(version, "$remote_version", |arm: &Arm| written(&arm.then.remote_version));
    set_version(seen, "$remote_seen", |arm: &Arm| written(&arm.then.remote_seen));
    match base {
        FactOp::Keep if !any_set => {}
        FactOp::Clear => to.say("$base = nil"),
        FactOp::Keep | FactOp::Set(_) => {
            to.say_with("if ? ~= '' then $base = ? end", |arm| match &arm.then.base {
                FactOp::Set(content) => content.as_str().into(),
                FactOp::Keep | FactOp::Clear => Vec::new(),
            });
        }
    }
    let content: Get = |arm| match &arm.then.echoes {
        EchoesOp::Push(content) | EchoesOp::Remove(content) => content.as_str().into(),
        EchoesOp::Keep | EchoesOp::Clear => Vec::new(),
    };
    match echoes {
        EchoesOp::Keep if !any_set => {}
        EchoesOp::Push(_) => {
            let most = SyncRecord::MAX_ECHOES;
            let forget = format!("if #$echoes > {most} then table.remove($echoes, 1) end");
            to.say_with("$echoes = with($echoes, ?)", content);
            to.say(&forget);
        }
        EchoesOp::Keep | EchoesOp::Remove(_) => {
            to.say_with("$echoes = without_first($echoes, ?)", content);
        }
        EchoesOp::Clear => to.say("$echoes = nil"),
    }
}

fn written(op: &FactOp<RemoteVersion>) -> Vec<u8> {
    match op {
        FactOp::Set(version) => remote_version(version),
        FactOp::Keep | FactOp::Clear => Vec::new(),
    }
}

fn note_failure(op: &FailureOp, to: &mut Statements<'_>) {
    match op {
        FailureOp::Keep => {}
        FailureOp::Note(_) => {
            to.say_with("$failure_class = tonumber(?)", |arm| match &arm.then.failure {
                FailureOp::Note(note) => failure_class(note.class()).to_string().into(),
                FailureOp::Keep | FailureOp::Clear => Vec::new(),
            });
            to.say_with("$failure_code = ? ~= '' and ? or nil", |arm| match &arm.then.failure {
                FailureOp::Note(note) => note.code().unwrap_or_default().into(),
                FailureOp::Keep | FailureOp::Clear => Vec::new(),
            });
            to.say_with("$failure_message = ?", |arm| match &arm.then.failure {
                FailureOp::Note(note) => note.message().into(),
                FailureOp::Keep | FailureOp::Clear => Vec::new(),
            });
            to.say("$failure_first_at, $failure_last_at = $failure_first_at or now, now");
        }
        FailureOp::Clear => to.say(
            "$failure_class, $failure_code, $failure_message = nil, nil, nil
$failure_first_at, $failure_last_at = nil, nil",
        ),
    }
}

/// The instant so much after now, which no calendar ends before.
fn later(span: &str) -> String {
    format!("math.min(now + {span}, {})", Timestamp::MAX.as_millis())
}

/// How many digits each entry of a retry table has: those of the longest span.
const DIGITS: usize = 12;

fn schedule(op: &RetryOp, to: &mut Statements<'_>) {
    match op {
        RetryOp::Keep => {}
        RetryOp::After(_) => {
            let due = later("tonumber(?)");
            to.say_with(&format!("$retry_at = {due}"), |arm| match &arm.then.retry_at {
                RetryOp::After(span) => decimal(span.get()),
                RetryOp::Keep | RetryOp::Table(_) | RetryOp::Clear => Vec::new(),
            });
        }
        RetryOp::Table(_) => {
            let due = later("wait");
            let statement = format!(
                "do
local from = (math.max($attempts, 1) - 1) * {DIGITS} + 1
local wait = tonumber(sub(?, from, from + {DIGITS} - 1))
$retry_at = wait and {due} or nil
if not wait then $held_kind, $held_since = 1, now end
end"
            );
            to.say_with(&statement, |arm| match &arm.then.retry_at {
                RetryOp::Table(table) => {
                    let entry = |delay: &sync_tracker_core::Millis| {
                        format!("{:0width$}", delay.get(), width = DIGITS)
                    };
                    table.delays().iter().map(entry).collect::<String>().into()
                }
                RetryOp::Keep | RetryOp::After(_) | RetryOp::Clear => Vec::new(),
            });
        }
        RetryOp::Clear => to.say("$retry_at = nil"),
    }
}

fn set_lease(op: &LeaseOp, to: &mut Statements<'_>) {
    let ttl: Get = |arm| match &arm.then.lease {
        LeaseOp::Grant { ttl, .. } | LeaseOp::Renew { ttl } => decimal(ttl.get()),
        LeaseOp::Keep | LeaseOp::Drop => Vec::new(),
    };
    let until = later("tonumber(?)");
    match op {
        LeaseOp::Keep => {}
        LeaseOp::Grant { .. } => {
            let most = Token::MAX;
            to.say(&format!("$token = math.max($token + 1, math.min(now * 1000, {most}))"));
            to.say_with("$lease_claim = ?", |arm| match &arm.then.lease {
                LeaseOp::Grant { claim_id, .. } => claim_id.to_string().into(),
                LeaseOp::Keep | LeaseOp::Renew { .. } | LeaseOp::Drop => Vec::new(),
            });
            to.say_with(&format!("$lease_until = {until}"), ttl);
        }
        LeaseOp::Renew { .. } => {
            to.say_with(&format!("if $lease_claim then $lease_until = {until} end"), ttl);
        }
        LeaseOp::Drop => to.say("$lease_claim, $lease_until = nil, nil"),
    }
}

fn set_metadata(op: &MetadataOp, to: &mut Statements<'_>) {
    match op {
        MetadataOp::Keep => {}
        MetadataOp::Replace(_) => {
            to.say_with("$metadata = ? ~= '' and ? or nil", |arm| match &arm.then.metadata {
                MetadataOp::Replace(whole) => packed(whole),
                MetadataOp::Keep | MetadataOp::Merge(_) => Vec::new(),
            });
        }
        MetadataOp::Merge(_) => {
            let set = to.params.add(to.arm, |arm| match &arm.then.metadata {
                MetadataOp::Merge(merge) => packed(merge.set()),
                MetadataOp::Keep | MetadataOp::Replace(_) => Vec::new(),
            });
            let removed = to.params.add(to.arm, |arm| match &arm.then.metadata {
                MetadataOp::Merge(merge) => names(merge.remove()),
                MetadataOp::Keep | MetadataOp::Replace(_) => Vec::new(),
            });
            to.say(&format!("$metadata = merged($metadata, {set}, {removed})"));
        }
    }
}

/// A packed list of keys. None is no bytes.
fn names(names: &[Box<str>]) -> Vec<u8> {
    if names.is_empty() {
        return Vec::new();
    }
    let mut writer = Writer::default();
    writer.list(names.len());
    names.iter().for_each(|name| writer.bytes(name.as_bytes()));
    writer.into_bytes()
}
