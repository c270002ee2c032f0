//! What the people of both sides did, to be compared with what is there in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::people::Side;

/// What one person did.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Act {
    /// Gave a field a value, in an edit or with a new product.
    Set { field: String, value: Value },
    /// Deleted the product.
    Delete,
    /// Brought it back.
    Restore,
    /// Merged it into another one.
    MergeAway,
}

/// An act, by whom, on which product.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) side: Side,
    pub(super) sku: String,
    pub(super) act: Act,
}

/// How often people did what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActCounts {
    /// Fields that were edited, ours.
    pub ours: u64,
    /// Fields that were edited, the shop's.
    pub theirs: u64,
    /// Products that were made.
    pub created: u64,
    /// Products that both sides made.
    pub created_twice: u64,
    /// Products that were deleted, ours and the shop's.
    pub deleted: (u64, u64),
    /// Products that were restored, ours and the shop's.
    pub restored: (u64, u64),
    /// Products that were merged.
    pub merged: u64,
}

#[derive(Debug, Default)]
struct Book {
    entries: Vec<Entry>,
    /// Values that somebody saw and replaced, or deleted with the product.
    replaced: BTreeSet<(String, String, String)>,
    counts: ActCounts,
    edits: u64,
    /// Whether each product was made by both sides.
    skus: BTreeMap<String, bool>,
}

/// The acts of all people.
#[derive(Debug, Default)]
pub(super) struct Journal(Mutex<Book>);

impl Journal {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A product was made, with these fields.
    pub(super) fn created(&self, side: Side, sku: &str, content: &Value) {
        let mut book = self.book();
        let by_both = book.skus.contains_key(sku);
        book.skus.insert(sku.to_owned(), by_both);
        book.counts.created_twice += u64::from(by_both);
        book.counts.created += 1;
        for (field, value) in content.as_object().into_iter().flatten() {
            let act = Act::Set { field: field.clone(), value: value.clone() };
            book.entries.push(Entry { side, sku: sku.to_owned(), act });
        }
    }

    /// A field was edited, of a product that was this before.
    pub(super) fn edited(&self, side: Side, sku: &str, field: &str, value: Value, before: &Value) {
        let mut book = self.book();
        match side {
            Side::Ours => book.counts.ours += 1,
            Side::Theirs => book.counts.theirs += 1,
        }
        book.replaced.insert(key(sku, field, &before[field]));
        let act = Act::Set { field: field.to_owned(), value };
        book.entries.push(Entry { side, sku: sku.to_owned(), act });
    }

    /// A product that was this was deleted.
    pub(super) fn deleted(&self, side: Side, sku: &str, before: &Value) {
        let mut book = self.book();
        match side {
            Side::Ours => book.counts.deleted.0 += 1,
            Side::Theirs => book.counts.deleted.1 += 1,
        }
        book.replace_all(sku, before);
        book.entries.push(Entry { side, sku: sku.to_owned(), act: Act::Delete });
    }

    /// A product was restored.
    pub(super) fn restored(&self, side: Side, sku: &str) {
        let mut book = self.book();
        match side {
            Side::Ours => book.counts.restored.0 += 1,
            Side::Theirs => book.counts.restored.1 += 1,
        }
        book.entries.push(Entry { side, sku: sku.to_owned(), act: Act::Restore });
    }

    /// A product that was this was merged into another one, by the shop's staff.
    pub(super) fn merged(&self, sku: &str, before: &Value) {
        let mut book = self.book();
        book.counts.merged += 1;
        book.replace_all(sku, before);
        book.entries.push(Entry { side: Side::Theirs, sku: sku.to_owned(), act: Act::MergeAway });
    }

    /// One more edit is made, whatever came of it.
    pub(super) fn count_edit(&self) {
        self.book().edits += 1;
    }

    /// How many edits are made.
    pub(super) fn edits(&self) -> u64 {
        self.book().edits
    }

    /// How often people did what.
    pub(super) fn counts(&self) -> ActCounts {
        self.book().counts
    }

    /// How many products there ever were.
    pub(super) fn products(&self) -> usize {
        self.book().skus.len()
    }

    /// Whether both sides made this product, each by itself.
    pub(super) fn is_made_by_both(&self, sku: &str) -> bool {
        self.book().skus.get(sku) == Some(&true)
    }

    /// All acts, in order.
    pub(super) fn entries(&self) -> Vec<Entry> {
        self.book().entries.clone()
    }

    /// Whether somebody saw this value and replaced it.
    pub(super) fn is_replaced(&self, sku: &str, field: &str, value: &Value) -> bool {
        self.book().replaced.contains(&key(sku, field, value))
    }
}

impl Book {
    fn replace_all(&mut self, sku: &str, before: &Value) {
        for (field, value) in before.as_object().into_iter().flatten() {
            self.replaced.insert(key(sku, field, value));
        }
    }
}

fn key(sku: &str, field: &str, value: &Value) -> (String, String, String) {
    (sku.to_owned(), field.to_owned(), value.to_string())
}
