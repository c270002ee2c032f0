//! Both sides created the same thing, and it is found out.

use crate::change::{
    Arm, Change, ConflictOp, ExternalIdDemand, ExternalIdOp, FactOp, FlagOp, Guard, InstantOp,
    Patch, RevisionOp, SyncedAtOp, SyncedRevisionOp,
};
use crate::counter::Revision;
use crate::key::ExternalId;
use crate::record::ConflictKind;
use crate::remote::{Fingerprint, RemoteVersion};

/// An entity that is not known in the remote turns out to be there, made by somebody else: it was
/// found by a natural key, such as a SKU or an e-mail address.
///
/// The external id is bound. If the contents are the same, both sides are in step; else a conflict,
/// create/create, is open. Of a conflict, a record is made if there is none.
///
/// Refused if it is known in the remote, deleted, or bound to another id, if somebody else holds
/// the id, or, for the same contents, if the entity was changed after the revision that was
/// compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encounter {
    /// The id of the object.
    pub external_id: ExternalId,
    /// Its version, if the remote tells one.
    pub version: Option<RemoteVersion>,
    /// Its content, if it is known.
    pub content: Option<Fingerprint>,
    /// The local revision whose content is the same, if it is.
    pub same_as: Option<Revision>,
}

impl Encounter {
    /// The change.
    #[must_use]
    pub fn change(&self) -> Change {
        let Self { external_id, version, content, same_as } = self;
        let version = version.clone().map_or(FactOp::Keep, FactOp::Set);
        let bound = Patch {
            external_id: ExternalIdOp::Set(external_id.clone()),
            remote_seen: version.clone(),
            sighted_at: InstantOp::Now,
            in_doubt: FlagOp::Clear,
            ..Patch::default()
        };
        let then = match same_as {
            None => Patch { conflict: ConflictOp::Open(ConflictKind::CreateCreate), ..bound },
            Some(_) => Patch {
                synced_revision: SyncedRevisionOp::ToRevision,
                synced_at: SyncedAtOp::Now,
                remote_version: version,
                base: content.clone().map_or(FactOp::Keep, FactOp::Set),
                ..bound
            },
        };
        let unknown = Guard {
            revision: *same_as,
            deleted: Some(false),
            known: Some(false),
            external_id: Some(ExternalIdDemand::FreeOr(external_id.clone())),
            ..Guard::default()
        };
        let found = Arm { when: unknown, then: then.clone() };
        if same_as.is_some() {
            return Change::of([found]);
        }
        let absent = Arm {
            when: Guard { exists: Some(false), ..Guard::default() },
            then: Patch { revision: RevisionOp::Next, ..then },
        };
        Change::of([absent, found])
    }
}
