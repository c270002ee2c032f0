//! Pushes a product catalogue to a shop that misbehaves, and shows that nothing is lost and
//! nothing is there twice.
//!
//! It reads a Shopify product export, tracks each product, and pushes them over HTTP to a shop API
//! that runs inside this process and throttles, fails, refuses, dawdles and loses replies as it is
//! told. Then two products change, and exactly those are pushed again. Duplicates are counted from
//! the shop's own log. Killed at any moment and started again, it goes on where it was.

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
use self::sync::{Before, CatalogSync, SOURCE};
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
    let count = products.len();
    let shop = args.open_shop().await?;
    let url = shop.as_ref().map(Shop::url).or(args.shop.as_deref()).unwrap_or_default();
    let client = ShopClient::new(url, args.timeout())?;
    let pusher = Pusher::new(client, !args.no_look_before_create);
    let store = sync_tracker::open(&args.store).await?;
    let sync = CatalogSync::new(store, pusher, args.workers, args.lease())?;

    let Before { new, changed, given_up, known } = sync.take_in(products).await?;
    println!("{count} products from {}", args.origin());
    println!("the ledger: {new} new, {changed} changed, {given_up} given up, {known} known");
    let worker = sync.run(&Progress::new("pushing")).await?;
    println!("{}", Report::new(&sync, &worker, shop.as_ref()).await?);
    match shop {
        Some(shop) => change_and_push_again(&sync, shop, args.no_look_before_create).await,
        None => Ok(()),
    }
}

/// Two products change, and nothing else is pushed again.
async fn change_and_push_again(
    sync: &CatalogSync,
    shop: Shop,
    duplicates_are_expected: bool,
) -> Result<(), Failure> {
    let changed = two_change(sync).await?;
    let before = shop.log().last_seq();
    sync.run(&Progress::new("pushing the changes")).await?;
    let log = shop.stop().await;
    let pushed: BTreeSet<_> = log.since(before).iter().map(|entry| entry.handle.clone()).collect();
    println!("changed: {}", listed(&changed));
    println!("pushed again: {}", listed(&pushed));

    if pushed != changed {
        return Err("what was pushed again is not what changed".into());
    }
    if log.duplicates() > 0 && !duplicates_are_expected {
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
