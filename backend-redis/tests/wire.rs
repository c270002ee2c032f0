//! What passes between the store and the server: how many round trips, and what a broken connection
//! is called.

#![allow(clippy::unwrap_used)] // helpers of tests too

#[path = "servers/mod.rs"]
mod servers;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use sync_tracker_conformance::{Direction, FaultProxy, Trigger, WireFault};
use sync_tracker_core::rules::{self, MarkSynced, RetrySchedule, Success};
use sync_tracker_core::{
    BeginInbox, Begun, Change, ChangeId, CheckpointStore, ClaimId, ClaimRequest, DedupeKey,
    ErrorKind, ExternalId, FailureNote, Filter, InboxStore, JsonValue, Key, Metadata, Millis,
    PageSize, SaveCheckpoint, Saved, Source, StreamName, SyncStore, Timestamp,
};
use sync_tracker_redis::{RedisOptions, RedisStore};

use self::servers::{OwnPrefix, url};

fn key(id: u64) -> Key {
    Key::new("shop", "product", id).unwrap()
}

/// A store behind a proxy.
async fn proxied(name: &str) -> (RedisStore, FaultProxy, OwnPrefix) {
    let own = OwnPrefix::new(name, vec![url()]);
    let url = url();
    let address = url.trim_start_matches("redis://").trim_end_matches('/');
    let server = tokio::net::lookup_host(address).await.unwrap().next().unwrap();
    let proxy = FaultProxy::start(server).await.unwrap();
    let options = RedisOptions::from_url(&format!("redis://{}", proxy.address())).unwrap();
    let options = options.prefix(&own.prefix).deadline(Duration::from_secs(5));
    (options.open().await.unwrap(), proxy, own)
}

/// How many round trips a call takes once its script is known.
async fn trips<T>(proxy: &FaultProxy, call: impl AsyncFn() -> T) -> u64 {
    call().await;
    proxy.reset_counts();
    call().await;
    proxy.counts().round_trips
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_REDIS_URL"]
async fn a_call_is_one_round_trip() {
    let (store, proxy, _own) = proxied("trips").await;
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
    let filter = Filter { source: Some(shop.clone()), ..Filter::default() };
    let list = async || store.list(&filter, None, PageSize::default()).await.unwrap();
    assert_eq!(trips(&proxy, list).await, 1);
    let due = Filter { due: Some(true), ..filter.clone() };
    let needing = async || store.list(&due, None, PageSize::default()).await.unwrap();
    assert_eq!(trips(&proxy, needing).await, 2, "where they are, and then the records");
    let claim = async || {
        let ttl = Millis::new(1_000).unwrap();
        let request = ClaimRequest::new(shop.clone(), ClaimId::random(), 10, ttl, 5).unwrap();
        store.claim(&request).await.unwrap()
    };
    assert_eq!(trips(&proxy, claim).await, 1);
    let begin = async || {
        let dedupe = DedupeKey::new(next.fetch_add(1, Ordering::Relaxed).to_string()).unwrap();
        let lease = Millis::new(1_000).unwrap();
        let request = BeginInbox::new(shop.clone(), dedupe, lease, ChangeId::random()).unwrap();
        match store.begin(&request).await.unwrap() {
            Begun::Fresh(ticket) => ticket,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(trips(&proxy, begin).await, 1);
    let (outcome, span) = (JsonValue::new(1.into()).unwrap(), Millis::new(1_000).unwrap());
    let (done, given_up) = (begin().await, begin().await);
    let complete = async || store.complete(&done, &outcome, span).await.unwrap();
    assert_eq!(trips(&proxy, complete).await, 1);
    let abandon = async || store.abandon(&given_up).await.unwrap();
    assert_eq!(trips(&proxy, abandon).await, 1);
    let stream = StreamName::new("orders").unwrap();
    let save = async || {
        let at = store.load(&shop, &stream).await.unwrap();
        proxy.reset_counts();
        let (source, stream, value) = (shop.clone(), stream.clone(), outcome.clone());
        let (version, generation, id) = (at.version, at.generation, ChangeId::random());
        let save = SaveCheckpoint { source, stream, value, version, generation, id };
        assert!(matches!(store.save(&save).await.unwrap(), Saved::Done(_)));
    };
    assert_eq!(trips(&proxy, save).await, 1);
    let reset = async || store.reset(&shop, &stream, ChangeId::random()).await.unwrap();
    assert_eq!(trips(&proxy, reset).await, 1);
    let raise = async || store.raise_horizon(&shop, Timestamp::now()).await.unwrap();
    assert_eq!(trips(&proxy, raise).await, 1);
    let statistics = async || store.statistics(&shop).await.unwrap();
    assert_eq!(trips(&proxy, statistics).await, 1);
    let batch = async || {
        let items: Vec<(Key, Change)> = (0..1_000).map(|_| (fresh(), rules::created())).collect();
        for outcome in store.apply_many(&items).await {
            assert!(outcome.unwrap().is_applied());
        }
    };
    assert!(trips(&proxy, batch).await <= 20, "scripts of fifty changes are on their way at once");
    assert_eq!(store.verify().await.unwrap(), []);
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_REDIS_URL"]
async fn large_records_are_carried_by_more_scripts() {
    let (store, proxy, _own) = proxied("large").await;
    let shop = Source::new("shop").unwrap();
    let metadata = Metadata::new(json!({ "large": "x".repeat(60_000) })).unwrap();
    let large = |id: u64| {
        let success = Success {
            external_id: Some(ExternalId::new(id.to_string()).unwrap()),
            ..Success::default()
        };
        MarkSynced { success: success.replacing_metadata(metadata.clone()) }.change()
    };
    let each = |change: &dyn Fn(u64) -> Change| -> Vec<(Key, Change)> {
        (0..60).map(|id| (key(id), change(id))).collect()
    };
    // Two or three fit into a script.
    for (change, least) in [(&large as &dyn Fn(u64) -> Change, 20), (&|_| rules::updated(), 20)] {
        proxy.reset_counts();
        for (outcome, id) in store.apply_many(&each(change)).await.into_iter().zip(0..) {
            let outcome = outcome.unwrap();
            assert!(outcome.is_applied(), "{outcome:?}");
            assert_eq!(outcome.record().unwrap().key, key(id));
        }
        assert!(proxy.counts().round_trips >= least, "{:?}", proxy.counts());
    }
    let filter = Filter { source: Some(shop.clone()), ..Filter::default() };
    proxy.reset_counts();
    let page = store.list(&filter, None, PageSize::new(60).unwrap()).await.unwrap();
    assert_eq!((page.records.len(), page.next), (60, None));
    assert!(proxy.counts().round_trips >= 6, "{:?}", proxy.counts());
    proxy.reset_counts();
    let ids: Vec<_> = (0..60).map(|id: u64| ExternalId::new(id.to_string()).unwrap()).collect();
    let found = store.by_external_ids(&shop, &key(0).entity.entity_type, &ids).await.unwrap();
    assert!(found.iter().zip(0..).all(|(it, id)| it.as_ref().unwrap().key == key(id)));
    assert!(proxy.counts().round_trips >= 20, "{:?}", proxy.counts());
    proxy.reset_counts();
    let ttl = Millis::new(60_000).unwrap();
    let request = ClaimRequest::new(shop, ClaimId::random(), 60, ttl, 5).unwrap();
    assert_eq!(store.claim(&request).await.unwrap().leased.len(), 60);
    assert!(proxy.counts().round_trips >= 30, "{:?}", proxy.counts());
    assert_eq!(store.claim(&request).await.unwrap().leased.len(), 60, "the same");
    assert_eq!(store.verify().await.unwrap(), []);
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_REDIS_URL"]
async fn a_change_that_is_cut_off_anywhere_counts_once_when_it_is_repeated() {
    let (store, proxy, _own) = proxied("cut").await;
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
    assert_eq!(store.verify().await.unwrap(), []);
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_REDIS_URL"]
async fn a_server_that_is_gone_is_told_so_and_found_again() {
    let (store, proxy, _own) = proxied("gone").await;
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
#[ignore = "needs SYNC_TRACKER_REDIS_URL"]
async fn a_server_that_is_silent_is_left_at_the_deadline() {
    let own = OwnPrefix::new("silent", vec![url()]);
    let address = url();
    let address = address.trim_start_matches("redis://").trim_end_matches('/');
    let server = tokio::net::lookup_host(address).await.unwrap().next().unwrap();
    let proxy = FaultProxy::start(server).await.unwrap();
    let options = RedisOptions::from_url(&format!("redis://{}", proxy.address())).unwrap();
    let options = options.prefix(&own.prefix).deadline(Duration::from_millis(300));
    let store = options.open().await.unwrap();
    let _ = store.apply(&key(1), &rules::created()).await.unwrap();
    let change = rules::updated();
    let _silent = proxy.arm(WireFault::Silence, Direction::ToClient, Trigger::Next(1));
    let late = store.apply(&key(1), &change).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Unknown, "{late:?}");
    let _silent = proxy.arm(WireFault::Silence, Direction::ToServer, Trigger::Always);
    let late = store.get(&key(1)).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Unavailable, "{late:?}");
    proxy.clear();
    let repeated = store.apply(&key(1), &change).await.unwrap();
    assert_eq!(repeated.record().unwrap().revision.get(), 2);
}
