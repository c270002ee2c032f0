//! The order in which a store may carry out many changes at once.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use crate::change::{AliasesOp, Change, ExternalIdOp};
use crate::key::{ExternalId, Key};

/// Sorts changes into waves, for a store that carries out many at once: gives the indexes of the
/// items. Within a wave no two are of the same key, nor bring the same external id, so they may be
/// carried out in any order, or in one statement, and who brings an external id first gets it.
///
/// ```
/// use sync_tracker_core::{Key, rules, waves};
///
/// # fn main() -> Result<(), sync_tracker_core::Error> {
/// let (one, two) = (Key::new("shop", "product", 1)?, Key::new("shop", "product", 2)?);
/// let items = [(one.clone(), rules::created()), (one, rules::updated()), (two, rules::created())];
/// assert_eq!(waves(&items), [vec![0, 2], vec![1]]);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn waves(items: &[(Key, Change)]) -> Vec<Vec<usize>> {
    let mut waves: Vec<Vec<usize>> = Vec::new();
    let mut next_of_key: HashMap<&Key, usize> = HashMap::new();
    let mut next_of_id: HashMap<&ExternalId, usize> = HashMap::new();
    for (index, (key, change)) in items.iter().enumerate() {
        let ids: HashSet<_> = brought(change).collect();
        let after_id = ids.iter().filter_map(|id| next_of_id.get(id)).max().copied();
        let wave = next_of_key.get(key).copied().max(after_id).unwrap_or_default();
        next_of_key.insert(key, wave + 1);
        for id in ids {
            next_of_id.insert(id, wave + 1);
        }
        if waves.len() <= wave {
            waves.resize_with(wave + 1, Vec::new);
        }
        if let Some(members) = waves.get_mut(wave) {
            members.push(index);
        }
    }
    waves
}

/// Splits a wave into groups whose items are alike, in the order of the first of each: of one
/// statement, or of one server.
#[must_use]
pub fn alike<K: Eq + Hash>(
    wave: &[usize],
    mut likeness: impl FnMut(usize) -> K,
) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut group_of = HashMap::new();
    for index in wave {
        let group = *group_of.entry(likeness(*index)).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        if let Some(members) = groups.get_mut(group) {
            members.push(*index);
        }
    }
    groups
}

/// The external ids that a change may bring to its record.
fn brought(change: &Change) -> impl Iterator<Item = &ExternalId> {
    change.arms().iter().flat_map(|arm| {
        let own = match &arm.then.external_id {
            ExternalIdOp::Set(id) | ExternalIdOp::Supersede(id) => Some(id),
            ExternalIdOp::Keep | ExternalIdOp::Clear => None,
        };
        let alias = match &arm.then.aliases {
            AliasesOp::Add(id) => Some(id),
            AliasesOp::Keep => None,
        };
        own.into_iter().chain(alias)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::rules::{self, Bind, BindMode};

    fn key(id: u8) -> Key {
        Key::new("shop", "product", id).unwrap()
    }

    fn bind(id: &str) -> Change {
        let external_id = ExternalId::new(id).unwrap();
        Bind { external_id, mode: BindMode::Add }.change()
    }

    #[test]
    fn who_comes_first_gets_an_external_id_whatever_its_key() {
        let items = [(key(1), bind("a")), (key(2), bind("b")), (key(3), bind("a"))];
        assert_eq!(waves(&items), [vec![0, 1], vec![2]]);
    }

    #[test]
    fn an_item_comes_after_all_that_it_has_to_follow() {
        let items = [
            (key(1), rules::created()),
            (key(1), bind("a")),
            (key(2), bind("a")),
            (key(2), rules::updated()),
            (key(3), rules::updated()),
        ];
        assert_eq!(waves(&items), [vec![0, 4], vec![1], vec![2], vec![3]]);
    }

    #[test]
    fn alike_items_stay_together_in_the_order_of_the_first() {
        assert_eq!(alike(&[4, 1, 3, 0], |index| index % 2), [vec![4, 0], vec![1, 3]]);
    }
}
