//! What passes between the store and the server: how many round trips, and what a broken connection
//! is called.

#![allow(clippy::unwrap_used)] // helpers of tests too

#[path = "postgres/mod.rs"]
mod postgres;

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sync_tracker_conformance::{Direction, FaultProxy, Trigger, WireFault};
use sync_tracker_core::rules::{self, RetrySchedule};
use sync_tracker_core::{
    Change, ClaimId, ClaimRequest, ErrorKind, ExternalId, FailureNote, Filter, Key, Millis,
    PageSize, Source, SyncStore,
};
use sync_tracker_postgres::{PostgresOptions, PostgresStore};

use self::postgres::{OwnSchema, url};

fn key(id: u64) -> Key {
    Key::new("shop", "product", id).unwrap()
}

/// A store behind a proxy.
async fn proxied(schema: &OwnSchema) -> (PostgresStore, FaultProxy) {
    let options: PgConnectOptions = url().parse().unwrap();
    let address = format!("{}:{}", options.get_host(), options.get_port());
    let server = tokio::net::lookup_host(address).await.unwrap().next().unwrap();
    let proxy = FaultProxy::start(server).await.unwrap();
    let options = options.host("127.0.0.1").port(proxy.address().port());
    let options = PostgresOptions::from_options(options).schema(schema.name()).connections(1);
    let store = options.deadline(Duration::from_secs(5)).open().await.unwrap();
    (store, proxy)
}

/// How many round trips a call takes once its statement is known.
async fn trips<T>(proxy: &FaultProxy, call: impl AsyncFn() -> T) -> u64 {
    call().await;
    proxy.reset_counts();
    call().await;
    proxy.counts().round_trips
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
async fn a_call_is_one_round_trip() {
    let schema = OwnSchema::new();
    let (store, proxy) = proxied(&schema).await;
    let shop = Source::new("shop").unwrap();
    let id = ExternalId::new("x").unwrap();
    let next = std::sync::atomic::AtomicU64::new(0);
    let fresh = || key(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed));

    let created = async || store.apply(&fresh(), &rules::created()).await.unwrap();
    assert_eq!(trips(&proxy, created).await, 1);
    let updated = async || store.apply(&key(0), &rules::updated()).await.unwrap();
    assert_eq!(trips(&proxy, updated).await, 1);
    let refused = async || store.apply(&key(0), &rules::created()).await.unwrap();
    assert_eq!(trips(&proxy, refused).await, 1);
    let get = async || store.get(&key(0)).await.unwrap();
    assert_eq!(trips(&proxy, get).await, 1);
    let find = async || store.by_external_id(&shop, &key(0).entity.entity_type, &id).await.unwrap();
    assert_eq!(trips(&proxy, find).await, 1);
    let list = async || store.list(&Filter::default(), None, PageSize::default()).await.unwrap();
    assert_eq!(trips(&proxy, list).await, 1);
    let claim = async || {
        let ttl = Millis::new(1_000).unwrap();
        let request = ClaimRequest::new(shop.clone(), ClaimId::random(), 10, ttl, 5).unwrap();
        store.claim(&request).await.unwrap()
    };
    assert_eq!(trips(&proxy, claim).await, 1);
    let statistics = async || store.statistics(&shop).await.unwrap();
    assert_eq!(trips(&proxy, statistics).await, 1);
    let batch = async || {
        let items: Vec<(Key, Change)> = (0..1_000).map(|_| (fresh(), rules::created())).collect();
        for outcome in store.apply_many(&items).await {
            assert!(outcome.unwrap().is_applied());
        }
    };
    assert!(trips(&proxy, batch).await <= 2, "the values of a thousand may go in several pieces");
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
async fn a_change_that_is_cut_off_anywhere_counts_once_when_it_is_repeated() {
    let schema = OwnSchema::new();
    let (store, proxy) = proxied(&schema).await;
    let schedule = RetrySchedule::default();
    let mut attempts = 0;
    let (mut unknown, mut applied) = (0, 0);
    for direction in [Direction::ToServer, Direction::ToClient] {
        for number in 1.. {
            let note = FailureNote::transient("again");
            let change = rules::mark_failed(&note, &schedule, None);
            let cut = proxy.arm(WireFault::Cut, direction, Trigger::Nth(number));
            let answer = store.apply(&key(1), &change).await;
            proxy.clear();
            if let Err(error) = &answer {
                let before = store.get(&key(1)).await.unwrap().map_or(0, |record| record.attempts);
                let done = before > attempts;
                assert!(error.is_retryable(), "{error:?}");
                assert!(!done || error.kind() == ErrorKind::Unknown, "done, and told {error:?}");
                unknown += u32::from(error.kind() == ErrorKind::Unknown);
                applied += u32::from(done);
            }
            let repeated = store.apply(&key(1), &change).await.unwrap();
            attempts += 1;
            assert_eq!(repeated.record().unwrap().attempts, attempts);
            if cut.fired() == 0 {
                break;
            }
        }
    }
    assert!(unknown > 0 && applied > 0, "{unknown} unknown, {applied} of them applied");
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
async fn a_server_that_is_gone_or_silent_is_told_so_and_found_again() {
    let schema = OwnSchema::new();
    let (store, proxy) = proxied(&schema).await;
    let _ = store.apply(&key(1), &rules::created()).await.unwrap();
    proxy.go_away();
    let cut = store.apply(&key(1), &rules::updated()).await.unwrap_err();
    assert_eq!(cut.kind(), ErrorKind::Unknown, "{cut:?}");
    let refused = store.apply(&key(1), &rules::updated()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused:?}");
    assert_eq!(store.get(&key(1)).await.unwrap_err().kind(), ErrorKind::Unavailable);
    proxy.come_back().unwrap();
    assert!(store.get(&key(1)).await.unwrap().is_some());
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
async fn after_one_silent_call_the_next_reaches_the_server_that_the_address_leads_to_by_then() {
    const DEADLINE: Duration = Duration::from_secs(1);
    let schema = OwnSchema::new();
    let options: PgConnectOptions = url().parse().unwrap();
    let address = format!("{}:{}", options.get_host(), options.get_port());
    let server = tokio::net::lookup_host(address).await.unwrap().next().unwrap();
    let former = FaultProxy::start(server).await.unwrap();
    let proxy = FaultProxy::start(former.address()).await.unwrap();
    let options = options.host("127.0.0.1").port(proxy.address().port());
    let options = PostgresOptions::from_options(options).schema(schema.name()).deadline(DEADLINE);
    let store = options.connections(4).open().await.unwrap();
    let mut reads = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let store = store.clone();
        reads.spawn(async move { store.get(&key(1)).await.map(drop) });
    }
    reads.join_all().await.into_iter().for_each(|read| read.unwrap());
    assert!(proxy.counts().connections > 1, "connections wait");

    former.partition();
    proxy.lead_to(server);
    let silent = store.apply(&key(1), &rules::created()).await.unwrap_err();
    assert_eq!(silent.kind(), ErrorKind::Unknown, "{silent:?}");
    let start = std::time::Instant::now();
    assert!(store.apply(&key(1), &rules::created()).await.unwrap().is_applied());
    assert!(start.elapsed() < DEADLINE, "{:?}", start.elapsed());
}
