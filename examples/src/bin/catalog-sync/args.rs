//! What can be said on the command line.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use sync_tracker_examples::catalog::{self, CatalogError, Product};
use sync_tracker_examples::shop::{Faults, Rate, Shop};

const SAMPLE: &str = include_str!("../../../sample/catalog.csv");

/// Push a product catalogue to a shop that misbehaves, without loss and without duplicates.
///
/// The shop is a real HTTP server inside this program. It has no idempotency keys: a create that
/// is sent twice makes two products. Rates are shares of requests from 0 to 0.9, spread evenly and
/// without chance: of whatever rate is above 0, the first request is one.
///
/// Ledger and shop are kept in files, in the current folder unless you say otherwise. So the program
/// can be killed at any time and started again: it goes on where it was, and what it was pushing is
/// taken up when its lease has run out. To start over, delete the files, or use --store memory:.
#[derive(Debug, Parser)]
#[command(name = "catalog-sync", version)]
pub(crate) struct Args {
    /// A Shopify product export (CSV). Without it, a small sample is used.
    pub(crate) file: Option<PathBuf>,

    /// Create at once even if an earlier create may have worked: shows what the look is good for.
    #[arg(long)]
    pub(crate) no_look_before_create: bool,

    /// Where the ledger is: sqlite:PATH, or memory: to keep nothing, and then the shop keeps nothing
    /// either.
    #[arg(long, value_name = "URL", default_value = "sqlite:catalog-sync.db")]
    pub(crate) store: String,

    /// How long what is being pushed is this program's own, in milliseconds. It is prolonged while
    /// the program runs.
    #[arg(long, value_name = "MS", default_value_t = 5_000,
        value_parser = clap::value_parser!(u64).range(100..=3_600_000))]
    lease: u64,

    /// How many pushes run at the same time.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) workers: u16,

    /// The file in which the shop keeps what it does.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "catalog-sync.shop.jsonl",
        help_heading = "The shop"
    )]
    shop_file: PathBuf,

    /// Push to the shop at this address instead, and change nothing there that is not in the file.
    #[arg(long, value_name = "URL", help_heading = "The shop")]
    pub(crate) shop: Option<String>,

    /// Requests that the shop answers with 429 and Retry-After.
    #[arg(long, value_name = "RATE", default_value = "0.05", help_heading = "The shop")]
    throttle: Rate,

    /// The Retry-After of the shop, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 1, help_heading = "The shop",
        value_parser = clap::value_parser!(u64).range(0..=3600))]
    retry_after: u64,

    /// Requests that the shop answers with 500.
    #[arg(long, value_name = "RATE", default_value = "0.1", help_heading = "The shop")]
    error: Rate,

    /// Products that the shop refuses with a validation error.
    #[arg(long, value_name = "RATE", default_value = "0.1", help_heading = "The shop")]
    invalid: Rate,

    /// Creates that work and whose reply is lost.
    #[arg(long, value_name = "RATE", default_value = "0.25", help_heading = "The shop")]
    lost_reply: Rate,

    /// Requests that work and whose answer comes late.
    #[arg(long, value_name = "RATE", default_value = "0.05", help_heading = "The shop")]
    slow: Rate,

    /// How late a late answer is, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 600, help_heading = "The shop",
        value_parser = clap::value_parser!(u64).range(0..=60_000))]
    slow_by: u64,

    /// How long to wait for an answer, in milliseconds. Shorter than a late answer, and it is an
    /// answer lost.
    #[arg(long, value_name = "MS", default_value_t = 300,
        value_parser = clap::value_parser!(u64).range(1..=60_000))]
    timeout: u64,
}

impl Args {
    /// The products to push.
    pub(crate) fn products(&self) -> Result<Vec<Product>, CatalogError> {
        match &self.file {
            Some(file) => catalog::read(file),
            None => catalog::parse(SAMPLE.as_bytes()),
        }
    }

    /// Where the products come from, for people.
    pub(crate) fn origin(&self) -> String {
        match &self.file {
            Some(file) => file.display().to_string(),
            None => "the sample".to_owned(),
        }
    }

    /// Opens the shop, unless there is one elsewhere.
    pub(crate) async fn open_shop(&self) -> io::Result<Option<Shop>> {
        if self.shop.is_some() {
            return Ok(None);
        }
        let shop = match self.store.as_str() {
            "memory:" => Shop::start(self.faults()).await?,
            _ => Shop::start_in(&self.shop_file, self.faults()).await?,
        };
        Ok(Some(shop))
    }

    /// How the shop misbehaves.
    fn faults(&self) -> Faults {
        Faults {
            throttle: self.throttle,
            error: self.error,
            invalid: self.invalid,
            lost_reply: self.lost_reply,
            slow: self.slow,
            retry_after: Duration::from_secs(self.retry_after),
            slow_by: Duration::from_millis(self.slow_by),
        }
    }

    /// How long a push is leased.
    pub(crate) fn lease(&self) -> Duration {
        Duration::from_millis(self.lease)
    }

    /// How long to wait for an answer of the shop.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout)
    }
}
