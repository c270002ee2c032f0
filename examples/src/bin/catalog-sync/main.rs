//! Pushes a product catalogue to a shop that misbehaves, and shows that nothing is lost and
//! nothing is there twice.
//!
//! It reads a Shopify product export, tracks each product, and pushes them over HTTP to a shop API
//! that runs inside this process and throttles, fails, refuses, dawdles and loses replies as it is
//! told. Then two products change, and exactly those are pushed again. Duplicates are counted from
//! the shop's own log.

mod args;
mod push;
mod report;
mod sync;

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Parser;

use self::args::Args;
use self::push::Pusher;
use self::report::Report;
use self::sync::{CatalogSync, SOURCE};
use sync_tracker_examples::catalog::Product;
use sync_tracker_examples::client::ShopClient;
use sync_tracker_examples::progress::Progress;
use sync_tracker_examples::shop::Shop;

/// Whatever ends the program early; it is shown to the person who started it.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("catalog-sync: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), Failure> {
    let products = args.products()?;
    println!("{} products from {}", products.len(), args.origin());

    let shop = Shop::start(args.faults()).await?;
    let client = ShopClient::new(shop.url(), args.timeout())?;
    let sync = CatalogSync::new(Pusher::new(client, !args.no_look_before_create), args.workers)?;

    sync.created(products).await?;
    let worker = sync.run(&Progress::new("pushing")).await?;
    println!("{}", Report::new(&sync, &worker, &shop).await?);

    let changed = two_change(&sync).await?;
    let before = shop.log().last_seq();
    sync.run(&Progress::new("pushing the changes")).await?;
    let log = shop.stop().await;
    let pushed: BTreeSet<_> = log.since(before).iter().map(|entry| entry.handle.clone()).collect();
    println!("changed: {}", listed(&changed));
    println!("pushed again: {}", listed(&pushed));

    if pushed != changed {
        return Err("what was pushed again is not what changed".into());
    }
    if log.duplicates() > 0 && !args.no_look_before_create {
        return Err("the shop has duplicates, although every doubtful create was looked up".into());
    }
    Ok(())
}

/// Changes the first two products that are in the shop, and tells their handles.
async fn two_change(sync: &CatalogSync) -> Result<BTreeSet<String>, Failure> {
    let mut changed = BTreeSet::new();
    for product in sync.products() {
        if changed.len() == 2 {
            break;
        }
        if sync.tracker().is_synced(&push::entity(&product.handle)?, SOURCE).await? {
            changed.insert(product.handle.clone());
            let tags = product.tags.iter().cloned().chain(["new price".to_owned()]).collect();
            sync.updated(Product { tags, ..product }).await?;
        }
    }
    Ok(changed)
}

fn listed(handles: &BTreeSet<String>) -> String {
    match handles.len() {
        0 => "none".to_owned(),
        _ => handles.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
    }
}
