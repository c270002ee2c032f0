//! The tally at the end.

use std::fmt;

use comfy_table::{CellAlignment, Table, presets};
use sync_tracker::{InboundCounts, WorkerCounts};

use super::Pulls;
use super::journal::ActCounts;
use super::verdict::Verdict;
use crate::shop::Sent;
use crate::two_way::{Resolution, Tallied};

/// What a rehearsal came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// Whether all is well in the end.
    pub verdict: Verdict,
    /// What people did.
    pub people: ActCounts,
    /// What the application did.
    pub tally: Tallied,
    /// What the ledger made of what was seen in the shop.
    pub inbound: InboundCounts,
    /// What the worker did.
    pub worker: WorkerCounts,
    /// What became of webhooks.
    pub sent: Sent,
    /// What pulls did.
    pub pulls: Pulls,
    /// How many requests the shop had.
    pub requests: u64,
    /// What gave way in conflicts.
    pub resolutions: Vec<Resolution>,
    /// How often the shop was written to after the last edit.
    pub written_after: usize,
    /// How often it may be: twice a product.
    pub allowed_after: usize,
    /// How often it was written to after both sides had come to rest, which is an echo loop.
    pub written_in_the_end: usize,
}

impl Report {
    /// Whether the sides are equal, nothing is lost, nothing is there twice, and no echo runs.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.verdict.is_good()
            && self.written_after <= self.allowed_after
            && self.written_in_the_end == 0
    }

    fn rows(&self) -> Vec<(&'static str, u64, String)> {
        let Self { verdict, people, tally, inbound, worker, sent, pulls, .. } = self;
        let count = |many: usize| u64::try_from(many).unwrap_or(u64::MAX);
        let both = |(ours, theirs): (u64, u64)| format!("{ours} by us, {theirs} by the shop");
        vec![
            ("edits", people.ours + people.theirs, both((people.ours, people.theirs))),
            ("created", people.created, format!("{} of them on both sides", people.created_twice)),
            ("deleted", people.deleted.0 + people.deleted.1, both(people.deleted)),
            ("restored", people.restored.0 + people.restored.1, both(people.restored)),
            ("merged", people.merged, format!("by the shop; {} ids merged here", tally.merged)),
            (
                "pushes",
                tally.pushes,
                format!("{} attempts failed, {} requests in all", worker.failed, self.requests),
            ),
            ("skipped", tally.skipped, "pushes of what the shop had already".into()),
            ("overtaken", tally.overtaken, "pushes refused: the shop had something newer".into()),
            ("adopted", tally.adopted, "creates of ours whose reply was lost".into()),
            ("encountered", tally.encountered, "products that both sides had made".into()),
            (
                "webhooks",
                sent.events,
                format!(
                    "{} lost, {} sent twice, {} refused and sent again",
                    sent.lost, sent.twice, sent.refused
                ),
            ),
            ("duplicates", tally.duplicates, "webhooks that had been handled before".into()),
            (
                "taken over",
                tally.taken_over,
                format!("{} deleted here, {} restored here", tally.deleted, tally.restored),
            ),
            (
                "echoes",
                inbound.echoes,
                format!("own pushes told by their content; {} near misses", inbound.near_misses),
            ),
            ("known", inbound.same, "observations of what both sides had".into()),
            ("stale", inbound.stale, "observations that came late".into()),
            (
                "read",
                tally.read,
                format!("products; {} observations told no order", inbound.unordered),
            ),
            (
                "conflicts",
                tally.by_field + tally.by_rule,
                format!(
                    "{} merged by field, {} by rule with {} lines in the log",
                    tally.by_field,
                    tally.by_rule,
                    self.resolutions.len()
                ),
            ),
            (
                "full pulls",
                pulls.completed,
                format!(
                    "one cut on page {} and resumed on page {}; {} broken off by the shop",
                    pulls.cut_on_page, pulls.resumed_on_page, pulls.broken_off
                ),
            ),
            ("swept", tally.swept, "products that a full pull missed".into()),
            (
                "writes after",
                count(self.written_after),
                format!(
                    "the last edit, of {} allowed; {} after both sides agreed",
                    self.allowed_after, self.written_in_the_end
                ),
            ),
            ("products", count(verdict.products), "on both sides".into()),
            ("different", count(verdict.different.len()), "between the sides".into()),
            ("lost", count(verdict.lost.len()), "edits that nothing accounts for".into()),
            ("twice", count(verdict.duplicates.len()), "SKUs that a side has twice".into()),
        ]
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        for (name, count, note) in self.rows() {
            table.add_row([name.to_owned(), count.to_string(), note]);
        }
        if let Some(counts) = table.column_mut(1) {
            counts.set_cell_alignment(CellAlignment::Right);
        }
        table.fmt(f)
    }
}
