//! Our side: a small database in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use sync_tracker::{EntityRef, Error, Fingerprint};
use tokio::sync::OwnedMutexGuard;

use super::PRODUCT;

/// A product of ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What the shop is to have: a JSON object with a `handle`, which is its SKU, and other fields.
    pub content: Value,
    /// Whether it is deleted. The row is kept, so that it can be restored.
    pub deleted: bool,
}

/// A value that gave way to the shop's when a conflict was resolved: nothing is lost without a line.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolution {
    /// The SKU of the product.
    pub sku: String,
    /// The field, and the value that it had here; none if the product as a whole gave way, such as
    /// its deletion.
    pub field: Option<(String, Value)>,
    /// Why.
    pub because: &'static str,
}

/// Our products, the contents that were exchanged with the shop, and the log of resolutions.
#[derive(Debug, Default)]
pub struct Database {
    tables: Mutex<Tables>,
    locks: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

#[derive(Debug, Default)]
struct Tables {
    rows: BTreeMap<EntityRef, Row>,
    /// By their fingerprints, of which the ledger knows the base.
    contents: HashMap<Fingerprint, Value>,
    resolutions: Vec<Resolution>,
    last_id: u64,
}

/// The SKU of a product.
pub(super) fn sku(content: &Value) -> &str {
    content["handle"].as_str().unwrap_or_default()
}

impl Database {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody else is at the row, as `SELECT … FOR UPDATE` does.
    pub(super) async fn lock(&self, entity: &EntityRef) -> OwnedMutexGuard<()> {
        self.lock_named(format!("row {entity}")).await
    }

    /// Waits until nobody else takes this object of the shop in.
    pub(super) async fn lock_object(&self, external_id: &str) -> OwnedMutexGuard<()> {
        self.lock_named(format!("object {external_id}")).await
    }

    async fn lock_named(&self, name: String) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(locks.entry(name).or_default())
        };
        lock.lock_owned().await
    }

    /// The name of a product to come.
    pub(super) fn next_entity(&self) -> Result<EntityRef, Error> {
        let mut tables = self.tables();
        tables.last_id += 1;
        EntityRef::new(PRODUCT, tables.last_id)
    }

    /// The row of a product.
    #[must_use]
    pub fn row(&self, entity: &EntityRef) -> Option<Row> {
        self.tables().rows.get(entity).cloned()
    }

    /// The content of a product that is not deleted.
    #[must_use]
    pub fn live(&self, entity: &EntityRef) -> Option<Value> {
        self.row(entity).filter(|row| !row.deleted).map(|row| row.content)
    }

    /// All rows, ordered by id.
    #[must_use]
    pub fn rows(&self) -> Vec<(EntityRef, Row)> {
        self.tables().rows.iter().map(|(entity, row)| (entity.clone(), row.clone())).collect()
    }

    /// The product with this SKU that is not deleted.
    #[must_use]
    pub fn with_sku(&self, wanted: &str) -> Option<EntityRef> {
        let tables = self.tables();
        let mut live = tables.rows.iter().filter(|(_, row)| !row.deleted);
        live.find(|(_, row)| sku(&row.content) == wanted).map(|(entity, _)| entity.clone())
    }

    /// The products with this SKU that are deleted.
    #[must_use]
    pub fn deleted_with_sku(&self, wanted: &str) -> Vec<EntityRef> {
        let tables = self.tables();
        let deleted = tables.rows.iter().filter(|(_, row)| row.deleted);
        let found = deleted.filter(|(_, row)| sku(&row.content) == wanted);
        found.map(|(entity, _)| entity.clone()).collect()
    }

    /// Writes a new product, or one that was deleted, unless another one has its SKU. Whether it
    /// did.
    pub(super) fn insert(&self, entity: &EntityRef, content: Value) -> bool {
        let mut tables = self.tables();
        let mut live = tables.rows.values().filter(|row| !row.deleted);
        if live.any(|row| sku(&row.content) == sku(&content)) {
            return false;
        }
        tables.rows.insert(entity.clone(), Row { content, deleted: false });
        true
    }

    /// Writes a product, deleted or not.
    pub(super) fn write(&self, entity: &EntityRef, content: Value) {
        self.tables().rows.insert(entity.clone(), Row { content, deleted: false });
    }

    /// Marks a product as deleted.
    pub(super) fn delete(&self, entity: &EntityRef) {
        if let Some(row) = self.tables().rows.get_mut(entity) {
            row.deleted = true;
        }
    }

    /// Removes a product for good.
    pub(super) fn remove(&self, entity: &EntityRef) -> Option<Row> {
        self.tables().rows.remove(entity)
    }

    /// Keeps a content that was exchanged, and tells its fingerprint.
    pub(super) fn keep(&self, content: &Value) -> Result<Fingerprint, Error> {
        let print = Fingerprint::of(content)?;
        self.tables().contents.entry(print.clone()).or_insert_with(|| content.clone());
        Ok(print)
    }

    /// A content that was exchanged.
    pub(super) fn kept(&self, print: &Fingerprint) -> Option<Value> {
        self.tables().contents.get(print).cloned()
    }

    /// The log of resolutions.
    #[must_use]
    pub fn resolutions(&self) -> Vec<Resolution> {
        self.tables().resolutions.clone()
    }

    /// Writes lines into the log of resolutions.
    pub(super) fn log(&self, lines: impl IntoIterator<Item = Resolution>) {
        self.tables().resolutions.extend(lines);
    }
}
