//! Those who work in the shop: they change products without being asked by a client.

use serde_json::Value;

use super::SharedClerk;
use super::events::EventKind;
use super::shelf::Stocked;

/// The staff of a shop. What they do is not in the shop's log, which is about clients, and knows no
/// faults; events tell of it.
#[derive(Debug, Clone)]
pub struct Staff(SharedClerk);

impl Staff {
    pub(super) fn new(clerk: SharedClerk) -> Self {
        Self(clerk)
    }

    /// What is on sale now, oldest first.
    #[must_use]
    pub fn products(&self) -> Vec<Stocked> {
        self.0.lock().shelf.all()
    }

    /// Makes a product; its id. None if its handle is in use.
    #[must_use]
    pub fn create(&self, product: Value) -> Option<String> {
        let mut clerk = self.0.lock();
        let handle = product["handle"].as_str()?.to_owned();
        if clerk.shelf.with_handle(&handle).next().is_some() {
            return None;
        }
        let made = clerk.shelf.add(handle, product).clone();
        if let Some(outbox) = &clerk.outbox {
            outbox.tell(EventKind::Created, &made);
        }
        Some(made.id)
    }

    /// Sets a field of a product; the product as it was. None if there is no such product.
    #[must_use]
    pub fn edit(&self, id: &str, field: &str, value: Value) -> Option<Stocked> {
        let mut clerk = self.0.lock();
        let before = clerk.shelf.get(id)?.clone();
        let mut product = before.product.clone();
        product[field] = value;
        let after = clerk.shelf.replace(id, before.handle.clone(), product)?.clone();
        if let Some(outbox) = &clerk.outbox {
            outbox.tell(EventKind::Updated, &after);
        }
        Some(before)
    }

    /// Removes a product; what it was. None if there is no such product.
    #[must_use]
    pub fn delete(&self, id: &str) -> Option<Stocked> {
        let mut clerk = self.0.lock();
        let removed = clerk.shelf.remove(id)?.clone();
        if let Some(outbox) = &clerk.outbox {
            outbox.tell(EventKind::Deleted, &removed);
        }
        Some(removed)
    }

    /// What was removed and can be restored.
    #[must_use]
    pub fn removed(&self) -> Vec<Stocked> {
        self.0.lock().shelf.removed()
    }

    /// Puts back what was removed, under its old id. None if there is no such product, or if its
    /// handle is in use.
    #[must_use]
    pub fn restore(&self, id: &str) -> Option<Stocked> {
        let mut clerk = self.0.lock();
        let restored = clerk.shelf.restore(id)?.clone();
        if let Some(outbox) = &clerk.outbox {
            outbox.tell(EventKind::Restored, &restored);
        }
        Some(restored)
    }

    /// Merges one product into another, which stays as it is; what was merged away. None if one of
    /// them does not exist.
    #[must_use]
    pub fn merge(&self, loser: &str, winner: &str) -> Option<Stocked> {
        let mut clerk = self.0.lock();
        let merged = clerk.shelf.merge(loser, winner)?;
        if let Some(outbox) = &clerk.outbox {
            outbox.tell_merged(loser, winner);
        }
        Some(merged)
    }
}
