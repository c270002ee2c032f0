//! What a shop tells of its products.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc;

use super::shelf::Stocked;

/// Something that happened to a product, as it is sent to webhooks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShopEvent {
    /// Tells this event from every other: the same in every delivery of it.
    pub event_id: String,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: EventKind,
    /// The product's id in the shop.
    pub id: String,
    /// The version of the product after it; of a merge, none.
    pub version: Option<u64>,
    /// The product after it. Absent if it is gone, or if the event only says that it changed.
    pub product: Option<Value>,
    /// The id of the product that it was merged into.
    pub merged_into: Option<String>,
}

/// What happened to a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// It was made.
    Created,
    /// It was changed.
    Updated,
    /// It was removed.
    Deleted,
    /// It was removed, and is back under its id.
    Restored,
    /// It was merged into another one, whose id is used from now on.
    Merged,
}

/// Where a shop puts its events.
#[derive(Debug)]
pub(super) struct Outbox {
    events: mpsc::UnboundedSender<ShopEvent>,
    told: AtomicU64,
    waiting: Arc<AtomicU64>,
}

/// The events of a shop, in the order in which they happened.
#[derive(Debug)]
pub struct ShopEvents {
    pub(super) events: mpsc::UnboundedReceiver<ShopEvent>,
    /// How many are not delivered yet.
    pub(super) waiting: Arc<AtomicU64>,
}

pub(super) fn outbox() -> (Outbox, ShopEvents) {
    let (sender, events) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicU64::new(0));
    let outbox = Outbox { events: sender, told: AtomicU64::new(0), waiting: Arc::clone(&waiting) };
    (outbox, ShopEvents { events, waiting })
}

impl Outbox {
    pub(super) fn tell(&self, kind: EventKind, stocked: &Stocked) {
        let product = (kind != EventKind::Deleted).then(|| stocked.product.clone());
        self.send(kind, &stocked.id, Some(stocked.version), product, None);
    }

    pub(super) fn tell_merged(&self, loser: &str, winner: &str) {
        self.send(EventKind::Merged, loser, None, None, Some(winner.to_owned()));
    }

    fn send(
        &self,
        kind: EventKind,
        id: &str,
        version: Option<u64>,
        product: Option<Value>,
        merged_into: Option<String>,
    ) {
        let number = self.told.fetch_add(1, Ordering::Relaxed) + 1;
        let (event_id, id) = (format!("event-{number}"), id.to_owned());
        let event = ShopEvent { event_id, kind, id, version, product, merged_into };
        self.waiting.fetch_add(1, Ordering::SeqCst);
        if self.events.send(event).is_err() {
            // Nobody listens.
            self.waiting.fetch_sub(1, Ordering::SeqCst);
        }
    }
}
