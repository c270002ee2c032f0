//! Merges in the remote: several ids lead to one object from now on.

use crate::change::{
    AliasesOp, Arm, Change, ConflictOp, EchoesOp, ExternalIdOp, FactOp, Guard, InstantOp, Patch,
};
use crate::key::ExternalId;
use crate::record::{ConflictKind, SyncRecord};

/// What a merge of external ids does to the record that was read; refused if it was written since.
fn to(record: &SyncRecord, then: Patch) -> Change {
    let unchanged = Guard::unwritten_since(record);
    Change::of([Arm { when: unchanged, then }])
}

/// The record's own id was merged into this one, which nobody holds: it becomes the record's own,
/// and the old one an alias. Nothing is known of the winner's version and content: what is seen of it
/// next is news.
#[must_use]
pub fn supersede(record: &SyncRecord, winner: &ExternalId) -> Change {
    to(
        record,
        Patch {
            external_id: ExternalIdOp::Supersede(winner.clone()),
            // They were those of another object, whose versions may be counted otherwise.
            remote_version: FactOp::Clear,
            remote_seen: FactOp::Clear,
            base: FactOp::Clear,
            echoes: EchoesOp::Clear,
            sighted_at: InstantOp::Now,
            conflict: collision_over(record),
            ..Patch::default()
        },
    )
}

/// This id, which nobody holds, was merged into the record's own: it becomes an alias.
#[must_use]
pub fn add_alias(record: &SyncRecord, loser: &ExternalId) -> Change {
    to(
        record,
        Patch {
            aliases: AliasesOp::Add(loser.clone()),
            sighted_at: InstantOp::Now,
            conflict: collision_over(record),
            ..Patch::default()
        },
    )
}

/// The ids of two entities were merged, so two entities claim one object: a conflict, on each of
/// them.
#[must_use]
pub fn collide(record: &SyncRecord) -> Change {
    let open = ConflictOp::Open(ConflictKind::IdCollision);
    to(record, Patch { conflict: open, ..Patch::default() })
}

/// One of the two let go of its id, so the merge succeeds, and the collision is over.
fn collision_over(record: &SyncRecord) -> ConflictOp {
    match record.conflict {
        Some(conflict) if conflict.kind == ConflictKind::IdCollision => ConflictOp::Clear,
        _ => ConflictOp::Keep,
    }
}
