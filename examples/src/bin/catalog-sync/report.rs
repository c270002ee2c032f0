//! The table at the end.

use std::fmt;

use comfy_table::{CellAlignment, Table, presets};
use sync_tracker::{Status, WorkerCounts};

use crate::Failure;
use crate::sync::CatalogSync;
use sync_tracker_examples::shop::Shop;

/// What became of the products, by the ledger and by the shop's own log.
#[derive(Debug)]
pub(crate) struct Report(Vec<(&'static str, u64, String)>);

impl Report {
    /// Counts. The log of a shop elsewhere cannot be seen.
    pub(crate) async fn new(
        sync: &CatalogSync,
        worker: &WorkerCounts,
        shop: Option<&Shop>,
    ) -> Result<Self, Failure> {
        let counts = sync.counts().await?;
        let mut rows = vec![
            ("synced", counts.in_status(Status::Synced), "products in step with the shop".into()),
            ("failed", worker.failed, "attempts".to_owned()),
            ("dead", counts.in_status(Status::DeadLetter), "products given up".into()),
            ("retried", sync.retried(), "attempts after a failed one".into()),
        ];
        if let Some(log) = shop.map(Shop::log) {
            let faults = log.faults();
            rows[1].2 = format!(
                "attempts; the shop: {} throttled, {} errors, {} refusals, {} replies lost, {} late",
                faults.throttled, faults.errors, faults.invalid, faults.lost_replies, faults.slow
            );
            let accepted = format!(
                "the shop's log: {} creates and {} updates of {} requests",
                log.creates(),
                log.updates(),
                log.requests()
            );
            rows.push(("duplicates", u64::try_from(log.duplicates())?, accepted));
        }
        Ok(Self(rows))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        for (name, count, note) in &self.0 {
            table.add_row([(*name).to_owned(), count.to_string(), note.clone()]);
        }
        if let Some(counts) = table.column_mut(1) {
            counts.set_cell_alignment(CellAlignment::Right);
        }
        table.fmt(f)
    }
}
