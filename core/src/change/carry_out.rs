//! What the operations of a patch do.

use super::patch::{
    AliasesOp, AttemptsOp, ConflictOp, EchoesOp, ExternalIdOp, FactOp, FailureOp, FlagOp, HeldOp,
    IncarnationOp, InstantOp, LeaseOp, MetadataOp, Patch, RetryOp, RevisionOp, SyncedAtOp,
    SyncedRevisionOp,
};
use crate::counter::Revision;
use crate::failure::Failure;
use crate::record::{Conflict, Held, HeldKind, Lease, SyncRecord};
use crate::remote::{RemoteVersion, VersionOrder};
use crate::time::Timestamp;

impl Patch {
    /// Carries the operations out.
    pub(crate) fn carry_out(&self, record: &mut SyncRecord, now: Timestamp) {
        let Self {
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
        } = self;
        incarnation.carry_out(record, now);
        external_id.carry_out(record);
        aliases.carry_out(record);
        if *revision == RevisionOp::Next {
            record.revision = record.revision.next();
        }
        match *synced_revision {
            SyncedRevisionOp::Keep => {}
            SyncedRevisionOp::Max(seen) => {
                record.synced_revision = record.synced_revision.max(seen.min(record.revision));
            }
            SyncedRevisionOp::ToRevision => record.synced_revision = record.revision,
        }
        updated_at.carry_out(&mut record.updated_at, now);
        deleted_at.carry_out(&mut record.deleted_at, now);
        remote_deleted_at.carry_out(&mut record.remote_deleted_at, now);
        sighted_at.carry_out(&mut record.sighted_at, now);
        match synced_at {
            SyncedAtOp::Keep => {}
            SyncedAtOp::Now => record.synced_at = record.synced_at.max(Some(now)),
            SyncedAtOp::Clear => record.synced_at = None,
        }
        remote_version.carry_out_version(&mut record.remote_version);
        remote_seen.carry_out_version(&mut record.remote_seen);
        match base {
            FactOp::Keep => {}
            FactOp::Set(content) => record.base = Some(content.clone()),
            FactOp::Clear => record.base = None,
        }
        echoes.carry_out(record);
        match attempts {
            AttemptsOp::Keep => {}
            AttemptsOp::Reset => record.attempts = 0,
            AttemptsOp::Charge => record.attempts = record.attempts.saturating_add(1),
            AttemptsOp::GiveBack => record.attempts = record.attempts.saturating_sub(1),
        }
        match in_doubt {
            FlagOp::Keep => {}
            FlagOp::Set => record.in_doubt = true,
            FlagOp::Clear => record.in_doubt = false,
        }
        match held {
            HeldOp::Keep => {}
            HeldOp::Dead => record.held = Some(Held { kind: HeldKind::Dead, since: now }),
            HeldOp::Dismissed => record.held = Some(Held { kind: HeldKind::Dismissed, since: now }),
            HeldOp::Clear => record.held = None,
        }
        match failure {
            FailureOp::Keep => {}
            FailureOp::Note(note) => {
                record.failure = Some(Failure::noted(record.failure.as_ref(), note, now));
            }
            FailureOp::Clear => record.failure = None,
        }
        retry_at.carry_out(record, now);
        lease.carry_out(record, now);
        match *conflict {
            ConflictOp::Keep => {}
            ConflictOp::Open(kind) => {
                let since = record.conflict.map_or(now, |open| open.since);
                record.conflict = Some(Conflict { kind, since });
            }
            ConflictOp::Clear => record.conflict = None,
        }
        match metadata {
            MetadataOp::Keep => {}
            MetadataOp::Replace(whole) => record.metadata = whole.clone(),
            MetadataOp::Merge(merge) => record.metadata.merge(merge),
        }
    }
}

impl IncarnationOp {
    fn carry_out(self, record: &mut SyncRecord, now: Timestamp) {
        if self == Self::Keep {
            return;
        }
        record.incarnation = record.incarnation.begin(now);
        record.external_id = None;
        record.aliases.clear();
        record.synced_revision = Revision::ZERO;
        record.created_at = now;
        record.remote_version = None;
        record.remote_seen = None;
        record.remote_deleted_at = None;
        record.sighted_at = None;
        record.base = None;
        record.echoes.clear();
        record.in_doubt = false;
    }
}

impl ExternalIdOp {
    fn carry_out(&self, record: &mut SyncRecord) {
        let next = match self {
            Self::Keep => return,
            Self::Clear => None,
            Self::Set(id) | Self::Supersede(id) => Some(id.clone()),
        };
        record.aliases.retain(|alias| Some(alias) != next.as_ref());
        let before = std::mem::replace(&mut record.external_id, next);
        if matches!(self, Self::Supersede(_)) && before != record.external_id {
            record.aliases.extend(before);
        }
    }
}

impl AliasesOp {
    fn carry_out(&self, record: &mut SyncRecord) {
        if let Self::Add(id) = self
            && record.external_ids().all(|known| known != id)
        {
            record.aliases.push(id.clone());
        }
    }
}

impl InstantOp {
    fn carry_out(self, instant: &mut Option<Timestamp>, now: Timestamp) {
        match self {
            Self::Keep => {}
            Self::Now => *instant = Some(now),
            Self::NowIfNone => {
                instant.get_or_insert(now);
            }
            Self::Clear => *instant = None,
        }
    }
}

impl FactOp<RemoteVersion> {
    fn carry_out_version(&self, version: &mut Option<RemoteVersion>) {
        match self {
            Self::Keep => {}
            Self::Set(next) => {
                let order = version.as_ref().map(|there| next.order(there));
                if order != Some(VersionOrder::Older) {
                    *version = Some(next.clone());
                }
            }
            Self::Clear => *version = None,
        }
    }
}

impl EchoesOp {
    fn carry_out(&self, record: &mut SyncRecord) {
        match self {
            Self::Keep => {}
            Self::Push(content) => {
                if record.echoes.len() == SyncRecord::MAX_ECHOES {
                    record.echoes.remove(0);
                }
                record.echoes.push(content.clone());
            }
            Self::Remove(content) => {
                if let Some(at) = record.echoes.iter().position(|echo| echo == content) {
                    record.echoes.remove(at);
                }
            }
            Self::Clear => record.echoes.clear(),
        }
    }
}

impl RetryOp {
    fn carry_out(&self, record: &mut SyncRecord, now: Timestamp) {
        match self {
            Self::Keep => {}
            Self::After(span) => record.retry_at = Some(now.plus(*span)),
            Self::Table(table) => {
                record.retry_at = table.delay(record.attempts).map(|span| now.plus(span));
                if record.retry_at.is_none() {
                    record.held = Some(Held { kind: HeldKind::Dead, since: now });
                }
            }
            Self::Clear => record.retry_at = None,
        }
    }
}

impl LeaseOp {
    fn carry_out(&self, record: &mut SyncRecord, now: Timestamp) {
        match self {
            Self::Keep => {}
            Self::Grant { claim_id, ttl } => {
                record.token = record.token.grant(now);
                record.lease = Some(Lease { claim_id: claim_id.clone(), until: now.plus(*ttl) });
            }
            Self::Renew { ttl } => {
                if let Some(lease) = &mut record.lease {
                    lease.until = now.plus(*ttl);
                }
            }
            Self::Drop => record.lease = None,
        }
    }
}
