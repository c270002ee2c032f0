//! The constant pieces of scripts. In them `$field` is that field of the record at hand.

use crate::row::{FORMAT, LAYOUT, NONE, RING};

pub(crate) const HEAD: &str = include_str!("lua/head.lua");
pub(crate) const CLOCK: &str = include_str!("lua/clock.lua");
pub(crate) const WRITES: &str = include_str!("lua/writes.lua");
pub(crate) const WRITE: &str = include_str!("lua/write.lua");
pub(crate) const DECLARE: &str = include_str!("lua/declare.lua");
pub(crate) const DECODE: &str = include_str!("lua/decode.lua");
pub(crate) const TIES: &str = include_str!("lua/ties.lua");
pub(crate) const BEFORE: &str = include_str!("lua/before.lua");
pub(crate) const AFTER: &str = include_str!("lua/after.lua");
pub(crate) const IDS: &str = include_str!("lua/ids.lua");
pub(crate) const ENCODE: &str = include_str!("lua/encode.lua");
pub(crate) const INDEX: &str = include_str!("lua/index.lua");
pub(crate) const APPLY: &str = include_str!("lua/apply.lua");
pub(crate) const CLAIM: &str = include_str!("lua/claim.lua");
pub(crate) const PUT: &str = include_str!("lua/put.lua");
pub(crate) const FIND: &str = include_str!("lua/find.lua");
pub(crate) const PAGE: &str = include_str!("lua/page.lua");
pub(crate) const MERGE: &str = include_str!("lua/merge.lua");
pub(crate) const STATISTICS: &str = include_str!("lua/statistics.lua");
pub(crate) const PAUSE: &str = include_str!("lua/pause.lua");
pub(crate) const READ: &str = include_str!("lua/read.lua");
pub(crate) const SWAP: &str = include_str!("lua/swap.lua");
pub(crate) const RIGHTS: &str = include_str!("lua/rights.lua");
pub(crate) const INBOX: &str = include_str!("lua/inbox_head.lua");
pub(crate) const INBOX_BEGIN: &str = include_str!("lua/inbox_begin.lua");
pub(crate) const INBOX_SETTLE: &str = include_str!("lua/inbox_settle.lua");
pub(crate) const CHECKPOINT: &str = include_str!("lua/checkpoint_head.lua");
pub(crate) const CHECKPOINT_SAVE: &str = include_str!("lua/checkpoint_save.lua");
pub(crate) const CHECKPOINT_RESET: &str = include_str!("lua/checkpoint_reset.lua");
pub(crate) const HORIZON_RAISE: &str = include_str!("lua/horizon_raise.lua");

/// How many bytes of records one script reads and writes, but for the last of them: Lua takes about
/// a millisecond for as many.
pub(crate) const MOST_BYTES: usize = 128 * 1024;

/// What the pieces have in common with the store, and the fields: each is a local of its name.
pub(crate) fn fill(text: &str) -> String {
    text.replace("LAYOUT", LAYOUT)
        .replace("MOST_BYTES", &MOST_BYTES.to_string())
        .replace("RING", RING)
        .replace("FORMAT", &FORMAT.to_string())
        .replace("NONE", &NONE.to_string())
        .replace('$', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The fields of a record, as scripts call them.
    const FIELDS: [&str; 35] = [
        "external_id",
        "aliases",
        "incarnation",
        "revision",
        "synced_revision",
        "pending_since",
        "created_at",
        "updated_at",
        "deleted_at",
        "synced_at",
        "remote_version",
        "remote_seen",
        "remote_deleted_at",
        "sighted_at",
        "base",
        "echoes",
        "attempts",
        "in_doubt",
        "held_kind",
        "held_since",
        "failure_class",
        "failure_code",
        "failure_message",
        "failure_first_at",
        "failure_last_at",
        "retry_at",
        "token",
        "lease_claim",
        "lease_until",
        "conflict_kind",
        "conflict_since",
        "metadata",
        "version",
        "recent_changes",
        "last_arm",
    ];

    #[test]
    fn names_are_those_of_fields() {
        let pieces = [DECLARE, DECODE, TIES, BEFORE, AFTER, IDS, ENCODE, INDEX, PUT];
        for text in pieces {
            for piece in text.split('$').skip(1) {
                let end = piece.find(|c: char| c != '_' && !c.is_ascii_lowercase()).unwrap();
                assert!(FIELDS.contains(&&piece[..end]), "{piece}");
            }
        }
    }
}
