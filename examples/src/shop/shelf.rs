//! The products a shop has.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// A product as the shop holds it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stocked {
    /// The shop's id for it.
    pub id: String,
    /// 1 when it was made, and one more with each update.
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
    last_number: u64,
}

const ID_PREFIX: &str = "gid-";

impl Shelf {
    pub(super) fn new() -> Self {
        Self { stock: BTreeMap::new(), last_number: 1_000_000 }
    }

    pub(super) fn add(&mut self, handle: String, product: Value) -> &Stocked {
        self.last_number += 1;
        let number = self.last_number;
        let id = format!("{ID_PREFIX}{number}");
        self.stock.entry(number).or_insert(Stocked { id, version: 1, handle, product })
    }

    pub(super) fn replace(&mut self, id: &str, handle: String, product: Value) -> Option<&Stocked> {
        let stocked = self.stock.get_mut(&number(id)?)?;
        stocked.version += 1;
        stocked.handle = handle;
        stocked.product = product;
        Some(stocked)
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<Stocked> {
        self.stock.remove(&number(id)?)
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
