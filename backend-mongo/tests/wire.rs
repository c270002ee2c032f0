//! What passes between the store and the server: how many round trips, and what a broken connection
//! is called.

#![allow(clippy::unwrap_used)] // helpers of tests too

#[path = "mongo/mod.rs"]
mod mongo;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mongodb::Client;
use mongodb::options::ClientOptions;
use sync_tracker_conformance::{Direction, FaultProxy, Trigger, WireFault};
use sync_tracker_core::rules::{self, RetrySchedule};
use sync_tracker_core::{
    ClaimId, ClaimRequest, ErrorKind, ExternalId, FailureNote, Filter, Key, Millis, PageSize,
    Source, SyncStore,
};
use sync_tracker_mongo::{MongoOptions, MongoStore};

use self::mongo::{OwnDatabase, url};

/// The driver follows the proxy only, and does not look after the server while we count.
const QUIET: &str = "directConnection=true&serverMonitoringMode=poll&heartbeatFrequencyMS=600000";

fn key(id: u64) -> Key {
    Key::new("shop", "product", id).unwrap()
}

async fn proxy() -> FaultProxy {
    let hosts = ClientOptions::parse(url()).await.unwrap().hosts;
    let server = tokio::net::lookup_host(hosts[0].to_string()).await.unwrap().next().unwrap();
    FaultProxy::start(server).await.unwrap()
}

async fn options(proxy: &FaultProxy, database: &OwnDatabase, more: &str) -> MongoOptions {
    let url = format!("mongodb://{}/?{QUIET}{more}", proxy.address());
    MongoOptions::from_url(&url).await.unwrap().database(database.name())
}

/// A store behind a proxy.
async fn proxied(database: &OwnDatabase) -> (MongoStore, FaultProxy) {
    let proxy = proxy().await;
    let options = options(&proxy, database, "&maxPoolSize=1").await;
    (options.deadline(Duration::from_secs(5)).open().await.unwrap(), proxy)
}

/// A store that nothing happens to.
async fn direct(database: &OwnDatabase) -> MongoStore {
    let options = MongoOptions::from_url(&url()).await.unwrap().database(database.name());
    options.open().await.unwrap()
}

/// How many round trips a call takes once there is a connection.
async fn trips<T>(proxy: &FaultProxy, call: impl AsyncFn() -> T) -> u64 {
    call().await;
    proxy.reset_counts();
    call().await;
    proxy.counts().round_trips
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn a_call_is_one_round_trip() {
    let database = OwnDatabase::new();
    let (store, proxy) = proxied(&database).await;
    let shop = Source::new("shop").unwrap();
    let id = ExternalId::new("x").unwrap();
    let next = AtomicU64::new(0);
    let fresh = || key(next.fetch_add(1, Ordering::Relaxed));

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
        let request = ClaimRequest::new(shop.clone(), ClaimId::random(), 1, ttl, 5).unwrap();
        assert_eq!(store.claim(&request).await.unwrap().leased.len(), 1);
    };
    assert_eq!(trips(&proxy, claim).await, 2, "what is due is read, and one record taken");
}

/// What a call came to that was cut off, and whether it had been carried out.
#[derive(Debug, Default)]
struct Cuts {
    unknown: u32,
    applied: u32,
}

impl Cuts {
    /// Counts a failure of one entity, while a fault is armed, and then again.
    async fn count(&mut self, broken: &MongoStore, sound: &MongoStore, proxy: &FaultProxy) {
        let schedule = RetrySchedule::default();
        let change = rules::mark_failed(&FailureNote::transient("again"), &schedule, None);
        let attempts = async || sound.get(&key(1)).await.unwrap().map_or(0, |it| it.attempts);
        let before = attempts().await;
        let answer = broken.apply(&key(1), &change).await;
        proxy.clear();
        if let Err(error) = &answer {
            let done = attempts().await > before;
            assert!(error.is_retryable(), "{error:?}");
            assert!(!done || error.kind() == ErrorKind::Unknown, "done, and told {error:?}");
            self.unknown += u32::from(error.kind() == ErrorKind::Unknown);
            self.applied += u32::from(done);
        }
        let repeated = broken.apply(&key(1), &change).await.unwrap();
        assert_eq!(repeated.record().unwrap().attempts, before + 1, "{answer:?}");
    }
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn a_change_that_is_cut_off_anywhere_counts_once_when_it_is_repeated() {
    let database = OwnDatabase::new();
    let (store, proxy) = proxied(&database).await;
    let sound = direct(&database).await;
    let mut cuts = Cuts::default();
    for direction in [Direction::ToServer, Direction::ToClient] {
        for number in 1.. {
            let cut = proxy.arm(WireFault::Cut, direction, Trigger::Nth(number));
            cuts.count(&store, &sound, &proxy).await;
            if cut.fired() == 0 {
                break;
            }
        }
        // From the first hello of a client that knows nobody yet.
        for number in 1.. {
            let options = options(&proxy, &database, "").await.migrate(false);
            let new = options.deadline(Duration::from_secs(5)).open().await.unwrap();
            let cut = proxy.arm(WireFault::Cut, direction, Trigger::Nth(number));
            cuts.count(&new, &sound, &proxy).await;
            if cut.fired() == 0 {
                break;
            }
        }
    }
    assert!(cuts.unknown > 0 && cuts.applied > 0, "{cuts:?}");
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn a_change_that_the_driver_sends_again_counts_once_wherever_both_are_cut_off() {
    const LATEST: u64 = 5;
    let database = OwnDatabase::new();
    let (sound, proxy) = (direct(&database).await, proxy().await);
    let url = format!("mongodb://{}/?{QUIET}", proxy.address());
    let client = Client::with_uri_str(url).await.unwrap();
    let options = MongoOptions::from_options(ClientOptions::default());
    let options = options.database(database.name()).deadline(Duration::from_secs(5));
    let store = options.open_on(client).await.unwrap();
    let mut cuts = Cuts::default();
    for direction in [Direction::ToServer, Direction::ToClient] {
        for first in 1..LATEST {
            for second in first + 1..=LATEST {
                for number in [first, second] {
                    proxy.arm(WireFault::Cut, direction, Trigger::Nth(number));
                }
                cuts.count(&store, &sound, &proxy).await;
            }
        }
    }
    assert!(cuts.unknown > 0 && cuts.applied > 0, "{cuts:?}");
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn a_server_that_is_gone_is_told_so_and_found_again() {
    let database = OwnDatabase::new();
    let proxy = proxy().await;
    let options = options(&proxy, &database, "&serverSelectionTimeoutMS=1000").await;
    let store = options.open().await.unwrap();
    let _ = store.apply(&key(1), &rules::created()).await.unwrap();
    proxy.go_away();
    let cut = store.apply(&key(1), &rules::updated()).await.unwrap_err();
    assert!(cut.is_retryable(), "{cut:?}");
    let refused = store.apply(&key(1), &rules::updated()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused:?}");
    assert_eq!(store.get(&key(1)).await.unwrap_err().kind(), ErrorKind::Unavailable);
    proxy.come_back().unwrap();
    assert!(store.get(&key(1)).await.unwrap().is_some());
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn a_server_that_is_silent_is_left_at_the_deadline() {
    let database = OwnDatabase::new();
    let proxy = proxy().await;
    let options = options(&proxy, &database, "").await.deadline(Duration::from_millis(500));
    let store = options.open().await.unwrap();
    let _ = store.apply(&key(1), &rules::created()).await.unwrap();
    let change = rules::updated();
    proxy.arm(WireFault::Silence, Direction::ToClient, Trigger::Next(1));
    let late = store.apply(&key(1), &change).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Unknown, "{late:?}");
    proxy.arm(WireFault::Silence, Direction::ToServer, Trigger::Always);
    let late = store.get(&key(1)).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Unavailable, "{late:?}");
    proxy.clear();
    let repeated = store.apply(&key(1), &change).await.unwrap();
    assert_eq!(repeated.record().unwrap().revision.get(), 2);
}

/// As behind a firewall that has forgotten them: they are silent for good, and new ones are not.
#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn connections_that_fell_silent_are_given_up_and_not_waited_for_one_after_the_other() {
    const DEADLINE: Duration = Duration::from_secs(3);
    let database = OwnDatabase::new();
    let forgetful = proxy().await;
    let way = FaultProxy::start(forgetful.address()).await.unwrap();
    let url = format!("mongodb://{}/?directConnection=true&maxPoolSize=4", way.address());
    let options = MongoOptions::from_url(&url).await.unwrap().database(database.name());
    let store = options.deadline(DEADLINE).open().await.unwrap();
    let reads = (0..16).map(|_| async { store.get(&key(1)).await.unwrap() });
    futures_util::future::join_all(reads).await;

    let hosts = ClientOptions::parse(mongo::url()).await.unwrap().hosts;
    forgetful.partition();
    way.lead_to(tokio::net::lookup_host(hosts[0].to_string()).await.unwrap().next().unwrap());
    let start = Instant::now();
    let mut failures = 0;
    while store.apply(&key(1), &rules::updated()).await.is_err() {
        failures += 1;
        assert!(start.elapsed() < 10 * DEADLINE, "{failures} failures");
    }
    assert!(failures > 0, "the connections were silent");
}
