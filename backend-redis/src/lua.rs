//! The constant pieces of scripts. In them `$field` is that field of the record in `r`.

use crate::row::{FIELDS, place};

pub(crate) const HEAD: &str = include_str!("lua/head.lua");
pub(crate) const CLOCK: &str = include_str!("lua/clock.lua");
pub(crate) const RECORD: &str = include_str!("lua/record.lua");
pub(crate) const INDEXES: &str = include_str!("lua/indexes.lua");
pub(crate) const CARRY: &str = include_str!("lua/carry.lua");
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

/// Puts the places of fields for their names.
pub(crate) fn fill(text: &str) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut pieces = text.split('$');
    filled.extend(pieces.next());
    for piece in pieces {
        let end = piece.find(|c: char| c != '_' && !c.is_ascii_lowercase());
        let (name, rest) = piece.split_at(end.unwrap_or(piece.len()));
        match place(name) {
            Some(place) => filled.push_str(&format!("r[{place}]")),
            None => filled.push_str(&(FIELDS.len() + 2).to_string()),
        }
        filled.push_str(rest);
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_fields() {
        assert_eq!(fill("a $external_id,$version+$last b"), "a r[3],r[35]+37 b");
        for text in [RECORD, INDEXES, CARRY, APPLY, CLAIM, PUT] {
            for piece in text.split('$').skip(1) {
                let end = piece.find(|c: char| c != '_' && !c.is_ascii_lowercase()).unwrap();
                assert!(piece[..end] == *"last" || place(&piece[..end]).is_some(), "{piece}");
            }
        }
    }
}
