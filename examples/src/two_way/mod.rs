//! An application that keeps its products and those of a shop in step, both ways.
//!
//! - Edits of our people go to our [database](Database) and to the ledger, in one step each
//!   ([`edits`](TwoWay::create)); a worker pushes them, on condition that the shop
//!   still has the version that was accepted here.
//! - What happens in the shop comes by [webhooks](Receiver), each handled once, and by
//!   [full pulls](TwoWay::pull), which find what webhooks lost. Both [take it in](TwoWay::hear) by
//!   one way: observe, write, accept.
//! - What both sides changed is [resolved](Resolution) field by field; where both changed one
//!   field, the shop's holds, and what gave way is in a log.
//!
//! One product is taken in by one task at a time, and its row is locked while it is written, as a
//! database does by `SELECT … FOR UPDATE`.

mod conflicts;
mod database;
mod edits;
mod error;
mod meet;
mod merges;
mod observe;
mod pull;
mod push;
mod receiver;
mod tally;

use std::sync::Arc;
use std::time::Duration;

use sync_tracker::memory::MemoryStore;
use sync_tracker::rules::RetrySchedule;
use sync_tracker::{Checkpoints, Inbox, Status, Tracker};

pub use self::database::{Database, Resolution, Row};
pub use self::error::TwoWayError;
pub use self::pull::{Position, PullReport};
pub use self::receiver::Receiver;
pub use self::tally::{Tallied, Tally};

use crate::client::ShopClient;

/// The name of the shop in the ledger.
pub const SHOP: &str = "shop";
/// The type of products in the ledger.
pub const PRODUCT: &str = "product";

/// A safeguard that is left out, to show what it is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Weakness {
    /// Every delivery of a webhook is handled. This only makes work: observing is idempotent.
    NoInbox,
    /// Pushes are made whatever the shop has by now.
    BlindPushes,
    /// Neither inbox nor versions: whatever comes counts as new, and pushes are blind.
    NoVersions,
    /// Our side wins every conflict, and no log is kept.
    OursWins,
}

/// The application. Clones share everything.
#[derive(Clone, Debug)]
pub struct TwoWay {
    db: Arc<Database>,
    tracker: Tracker,
    inbox: Inbox,
    checkpoints: Checkpoints,
    client: ShopClient,
    weakness: Option<Weakness>,
    tally: Arc<Tally>,
}

impl TwoWay {
    /// An application without products, over a store in memory.
    pub fn new(client: ShopClient, weakness: Option<Weakness>) -> Result<Self, TwoWayError> {
        let [first, longest] = [10, 500].map(Duration::from_millis);
        let schedule = RetrySchedule::exponential(first, 2.0, longest, 30)?.with_jitter(0.5)?;
        let store = MemoryStore::new();
        let tracker = Tracker::new(store.clone())
            .with_retry_schedule(schedule)
            .with_sources(PRODUCT, [SHOP])?;
        let (inbox, checkpoints) = (Inbox::new(store.clone()), Checkpoints::new(store));
        let (db, tally) = Default::default();
        Ok(Self { db, tracker, inbox, checkpoints, client, weakness, tally })
    }

    /// Our products.
    #[must_use]
    pub fn db(&self) -> &Database {
        &self.db
    }

    /// The ledger.
    #[must_use]
    pub fn tracker(&self) -> &Tracker {
        &self.tracker
    }

    /// What was done.
    #[must_use]
    pub fn tally(&self) -> Tallied {
        self.tally.read()
    }

    /// Whether nothing is to be pushed, retried or resolved.
    pub async fn is_idle(&self) -> Result<bool, TwoWayError> {
        let now = self.tracker.statistics(SHOP).await?;
        let open = now.counts.in_status(Status::Conflict);
        Ok(now.due_now == 0 && now.next_due.is_none() && open == 0)
    }

    /// Resolves the conflicts that a crash left open.
    pub async fn resolve_open(&self) -> Result<(), TwoWayError> {
        let open = self.tracker.query(SHOP).entity_type(PRODUCT).status(Status::Conflict).await?;
        for id in open.records.iter().filter_map(|record| record.external_id.as_ref()) {
            self.look_at(id.as_str()).await?;
        }
        Ok(())
    }
}
