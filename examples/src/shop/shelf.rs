//! The products a shop has.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// A product as the shop holds it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stocked {
    /// The shop's id for it.
    pub id: String,
    /// 1 when it was made, and one more with each change, its removal and its return included.
    pub version: u64,
    /// Its handle; others may have the same.
    pub handle: String,
    /// All of it, as it was sent last.
    pub product: Value,
}

/// Products by the numbers in their ids, which grow and are never used again.
#[derive(Debug)]
pub(super) struct Shelf {
    stock: BTreeMap<u64, Stocked>,
    /// What was removed, and may come back.
    removed: BTreeMap<u64, Stocked>,
    /// What was merged into another, and into which.
    merged: BTreeMap<u64, String>,
    last_number: u64,
}

const ID_PREFIX: &str = "gid-";

impl Shelf {
    pub(super) fn new() -> Self {
        Self {
            stock: BTreeMap::new(),
            removed: BTreeMap::new(),
            merged: BTreeMap::new(),
            last_number: 1_000_000,
        }
    }

    /// The id that the next product will have.
    pub(super) fn next_id(&self) -> String {
        format!("{ID_PREFIX}{}", self.last_number + 1)
    }

    pub(super) fn add(&mut self, handle: String, product: Value) -> &Stocked {
        let id = self.next_id();
        self.last_number += 1;
        let number = self.last_number;
        self.stock.entry(number).or_insert(Stocked { id, version: 1, handle, product })
    }

    pub(super) fn replace(&mut self, id: &str, handle: String, product: Value) -> Option<&Stocked> {
        let stocked = self.stock.get_mut(&number(id)?)?;
        stocked.version += 1;
        stocked.handle = handle;
        stocked.product = product;
        Some(stocked)
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<&Stocked> {
        let number = number(id)?;
        let mut stocked = self.stock.remove(&number)?;
        stocked.version += 1;
        Some(self.removed.entry(number).or_insert(stocked))
    }

    /// Puts back what was removed, under its old id, unless its handle is in use by now.
    pub(super) fn restore(&mut self, id: &str) -> Option<&Stocked> {
        let number = number(id)?;
        let handle = &self.removed.get(&number)?.handle;
        if self.with_handle(handle).next().is_some() {
            return None;
        }
        let mut stocked = self.removed.remove(&number)?;
        stocked.version += 1;
        Some(self.stock.entry(number).or_insert(stocked))
    }

    /// Merges one product into another, which stays as it is. What was merged away.
    pub(super) fn merge(&mut self, loser: &str, winner: &str) -> Option<Stocked> {
        let number = number(loser)?;
        if loser == winner || self.get(winner).is_none() {
            return None;
        }
        let stocked = self.stock.remove(&number)?;
        self.merged.insert(number, winner.to_owned());
        Some(stocked)
    }

    /// What this id was merged into.
    pub(super) fn merged_into(&self, id: &str) -> Option<&str> {
        self.merged.get(&number(id)?).map(String::as_str)
    }

    /// So many products whose ids come after this one, and whether there are more.
    pub(super) fn page(&self, after: Option<&str>, size: usize) -> (Vec<&Stocked>, bool) {
        let start = after.and_then(number).map_or(0, |last| last + 1);
        let mut rest = self.stock.range(start..).map(|(_, stocked)| stocked);
        let page = rest.by_ref().take(size).collect();
        (page, rest.next().is_some())
    }

    /// What was removed and may come back.
    pub(super) fn removed(&self) -> Vec<Stocked> {
        self.removed.values().cloned().collect()
    }

    pub(super) fn get(&self, id: &str) -> Option<&Stocked> {
        self.stock.get(&number(id)?)
    }

    pub(super) fn with_handle(&self, handle: &str) -> impl Iterator<Item = &Stocked> {
        self.stock.values().filter(move |stocked| stocked.handle == handle)
    }

    pub(super) fn all(&self) -> Vec<Stocked> {
        self.stock.values().cloned().collect()
    }
}

/// The number in an id, if the id is spelt exactly as the shop spells it.
fn number(id: &str) -> Option<u64> {
    let number = id.strip_prefix(ID_PREFIX)?.parse().ok()?;
    (format!("{ID_PREFIX}{number}") == id).then_some(number)
}
