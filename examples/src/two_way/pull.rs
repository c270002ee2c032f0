//! Full pulls: every product of the shop, page by page, and what is missing among them.

use serde::{Deserialize, Serialize};
use sync_tracker::{JsonValue, Plausible, Saved, Sweep, Swept};
use tokio::sync::watch;

use super::{PRODUCT, SHOP, TwoWay, TwoWayError};

/// How the pull is called among the checkpoints of the shop.
const STREAM: &str = "products/all";
/// In products.
const PAGE: usize = 10;

/// Where a pull got to: all that a process needs to go on where another one crashed.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Bookmark {
    sweep: Sweep,
    /// How many pages are done.
    pages: u64,
    /// Where the next page begins.
    after: Option<String>,
}

/// Where a pull is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The page that it began with, from 1.
    pub first_page: u64,
    /// The page, from 1; 0 before the first.
    pub page: u64,
    /// How many products of the page are taken in.
    pub products: usize,
}

/// What became of a pull.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PullReport {
    /// The page that it began with, from 1.
    pub first_page: u64,
    /// The page that it ended with.
    pub last_page: u64,
    /// How many products were missing.
    pub missing: usize,
}

impl TwoWay {
    /// Takes in every product of the shop, and what is missing there. It goes on where an earlier
    /// pull broke off, and tells where it is.
    pub async fn pull(&self, tell: &watch::Sender<Position>) -> Result<PullReport, TwoWayError> {
        let mut run = self.checkpoints.begin(SHOP, STREAM).await?;
        let mut at: Bookmark = match run.start_bound().value() {
            Some(value) => value.to()?,
            None => {
                let sweep = self.tracker.begin_sweep(SHOP, PRODUCT).await?;
                Bookmark { sweep, pages: 0, after: None }
            }
        };
        let first_page = at.pages + 1;
        loop {
            let page = at.pages + 1;
            let listing = self.client.list(at.after.as_deref(), PAGE).await?;
            let ids = listing.products.iter().map(|seen| seen.id.as_str());
            self.tracker.saw(&at.sweep, ids).await?;
            for (number, seen) in listing.products.into_iter().enumerate() {
                match self.hear(seen).await {
                    // A webhook, or the next pull, will come back to it.
                    Ok(()) | Err(TwoWayError::Later(_)) => {}
                    Err(problem) => return Err(problem),
                }
                tell.send_replace(Position { first_page, page, products: number + 1 });
                // Whoever listens may stop it here.
                tokio::task::yield_now().await;
            }
            let Some(next) = listing.next else { break };
            at = Bookmark { pages: page, after: Some(next), ..at };
            if let Saved::Stale(_) = run.advance(JsonValue::of(&at)?).await? {
                return Err(TwoWayError::Later("another pull is ahead"));
            }
        }
        // Below that, 10 % of a shop is too much for an afternoon; this one is small.
        let plausible = Plausible { share: 0.5, records: 20 };
        let report = match self.tracker.finish_sweep(&at.sweep, plausible).await? {
            Swept::Done(report) => report,
            Swept::Implausible { seen, missing } => {
                let problem = format!("{missing} products are missing, and {seen} are there");
                return Err(TwoWayError::Broken(problem));
            }
        };
        for record in &report.missing {
            if let Some(id) = Self::external_id(record) {
                self.tally.note(|tally| tally.swept += 1);
                self.look_at(&id).await?;
            }
        }
        // The next pull is a full one again.
        self.checkpoints.reset(SHOP, STREAM).await?;
        let missing = report.missing.len();
        Ok(PullReport { first_page, last_page: at.pages + 1, missing })
    }
}
