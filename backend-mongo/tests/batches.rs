//! A batch is two round trips, or four if it makes records, and each item has its own outcome:
//! whoever else writes, and whatever gets lost.

#![allow(clippy::unwrap_used)] // what tests call is part of them

#[path = "mongo/mod.rs"]
mod mongo;

use std::sync::Arc;
use std::time::Duration;

use mongodb::options::ClientOptions;
use serde_json::{Map, Value};
use sync_tracker_conformance::{Direction, FaultProxy, Trigger, WireFault};
use sync_tracker_core::rules::{Bind, BindMode, MarkSynced, Success};
use sync_tracker_core::{
    Change, ClaimId, ClaimRequest, ErrorKind, ExternalId, Filter, Fingerprint, Guard, Key,
    Metadata, MetadataMerge, MetadataOp, Millis, Outcome, RemoteVersion, Removal, Source,
    SyncRecord, SyncStore, Timestamp, rules,
};
use sync_tracker_mongo::{MongoOptions, MongoStore};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use self::mongo::{OwnDatabase, url};

fn key(id: usize) -> Key {
    Key::new("shop", "product", format!("{id:05}")).unwrap()
}

async fn direct(database: &OwnDatabase) -> MongoStore {
    let options = MongoOptions::from_url(&url()).await.unwrap().database(database.name());
    options.open().await.unwrap()
}

async fn proxied(database: &OwnDatabase) -> (MongoStore, FaultProxy) {
    let hosts = ClientOptions::parse(url()).await.unwrap().hosts;
    let server = tokio::net::lookup_host(hosts[0].to_string()).await.unwrap().next().unwrap();
    let proxy = FaultProxy::start(server).await.unwrap();
    let quiet = "directConnection=true&serverMonitoringMode=poll&heartbeatFrequencyMS=600000";
    let url = format!("mongodb://{}/?{quiet}&maxPoolSize=1", proxy.address());
    let options = MongoOptions::from_url(&url).await.unwrap().database(database.name());
    (options.deadline(Duration::from_secs(20)).open().await.unwrap(), proxy)
}

fn each(keys: impl IntoIterator<Item = usize>, change: impl Fn() -> Change) -> Vec<(Key, Change)> {
    keys.into_iter().map(|id| (key(id), change())).collect()
}

async fn outcomes(store: &MongoStore, items: &[(Key, Change)]) -> Vec<Outcome> {
    store.apply_many(items).await.into_iter().map(|outcome| outcome.unwrap()).collect()
}

fn merging(name: &str, bytes: usize) -> Change {
    let set = Map::from_iter([(name.to_owned(), Value::from("x".repeat(bytes)))]);
    let nothing: [&str; 0] = [];
    let merge = MetadataMerge::new(Metadata::new(set.into()).unwrap(), nothing).unwrap();
    let success = Success::default().merging_metadata(merge);
    MarkSynced { success }.change()
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn a_thousand_changes_are_two_round_trips_and_a_thousand_new_records_four() {
    let database = OwnDatabase::new();
    let (store, proxy) = proxied(&database).await;
    let synced = || MarkSynced::default().change();
    let changes: [(fn() -> Change, u64); 4] =
        [(rules::created, 4), (synced, 2), (rules::created, 2), (rules::updated, 2)];
    for (change, trips) in changes {
        let items = each(0..1_000, change);
        proxy.reset_counts();
        let outcomes = outcomes(&store, &items).await;
        assert_eq!(outcomes.len(), 1_000);
        assert_eq!(proxy.counts().round_trips, trips);
    }
    let source = Source::new("shop").unwrap();
    let ttl = Millis::new(60_000).unwrap();
    let claim = ClaimRequest::new(source, ClaimId::random(), 500, ttl, 5).unwrap();
    proxy.reset_counts();
    assert_eq!(store.claim(&claim).await.unwrap().leased.len(), 500);
    assert_eq!(proxy.counts().round_trips, 3, "a read, an update, a read");
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn batches_that_cross_know_what_each_of_them_did() {
    const BATCHES: usize = 4;
    const ROUNDS: usize = 6;
    const KEYS: usize = 60;
    let database = OwnDatabase::new();
    let store = direct(&database).await;
    let mut in_between = 0;
    for _ in 0..ROUNDS {
        let barrier = Arc::new(Barrier::new(BATCHES));
        let mut running = JoinSet::new();
        for _ in 0..BATCHES {
            let (store, barrier) = (store.clone(), Arc::clone(&barrier));
            running.spawn(async move {
                let items = each(0..KEYS, rules::updated);
                barrier.wait().await;
                let outcomes = outcomes(&store, &items).await;
                (items, outcomes)
            });
        }
        for (items, outcomes) in running.join_all().await {
            for ((_, change), outcome) in items.iter().zip(outcomes) {
                let Outcome::Applied(applied) = outcome else { panic!("{outcome:?}") };
                assert!(!applied.replayed && applied.arm.is_some(), "{applied:?}");
                let is_last = applied.record.recent_changes.last() == Some(change.id());
                in_between += usize::from(!is_last);
            }
        }
    }
    assert!(in_between > 0, "others wrote between a batch and its read");
    for id in 0..KEYS {
        let record = store.get(&key(id)).await.unwrap().unwrap();
        assert_eq!(record.revision.get(), (BATCHES * ROUNDS) as u64);
    }
    assert_eq!(store.verify().await.unwrap(), []);
}

/// What becomes of changes of which the last read of the batch waits, until record 5 was written
/// and is removed, and something else is done.
async fn with_a_removal_before_the_read<F: Future<Output = ()>>(
    database: &OwnDatabase,
    items: Vec<(Key, Change)>,
    trips: u64,
    meanwhile: impl FnOnce(MongoStore) -> F,
) -> Vec<Result<Outcome, ErrorKind>> {
    let (store, proxy) = proxied(database).await;
    let others = direct(database).await;
    let before = others.get(&key(5)).await.unwrap();
    let wait = WireFault::Delay(Duration::from_secs(1));
    let late = proxy.arm(wait, Direction::ToServer, Trigger::Nth(trips));
    let batch = tokio::spawn(async move { store.apply_many(&items).await });
    while others.get(&key(5)).await.unwrap() == before {
        tokio::task::yield_now().await;
    }
    assert_eq!(others.remove(&key(5), &Guard::default()).await.unwrap(), Removal::Removed);
    meanwhile(others).await;
    let outcomes = batch.await.unwrap();
    assert_eq!(late.fired(), 1);
    outcomes.into_iter().map(|outcome| outcome.map_err(|error| error.kind())).collect()
}

/// All are applied but for these, of which that is not known.
fn assert_unknown(outcomes: &[Result<Outcome, ErrorKind>], unknown: &[usize]) {
    for (id, outcome) in outcomes.iter().enumerate() {
        match outcome {
            Ok(outcome) => assert!(outcome.is_applied() && !unknown.contains(&id), "{id}"),
            Err(kind) => assert!(*kind == ErrorKind::Unknown && unknown.contains(&id), "{id}"),
        }
    }
}

async fn revision_of(store: &MongoStore, id: usize) -> Option<u64> {
    store.get(&key(id)).await.unwrap().map(|record| record.revision.get())
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn a_record_that_is_removed_before_a_batch_reads_it_is_not_made_again() {
    let database = OwnDatabase::new();
    let store = direct(&database).await;
    outcomes(&store, &each(0..10, rules::created)).await;
    let items = each(0..10, rules::updated);
    let nothing = |_| async {};
    let outcomes = with_a_removal_before_the_read(&database, items, 2, nothing).await;
    assert_unknown(&outcomes, &[5]);
    assert_eq!(revision_of(&store, 5).await, None);
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn a_record_that_is_made_and_removed_before_a_batch_reads_it_is_not_made_again() {
    let database = OwnDatabase::new();
    let store = direct(&database).await;
    let items = each(0..10, rules::created);
    let nothing = |_| async {};
    let outcomes = with_a_removal_before_the_read(&database, items, 4, nothing).await;
    assert_unknown(&outcomes, &[5]);
    assert_eq!(revision_of(&store, 5).await, None);
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn records_that_come_before_a_batch_reads_do_not_hide_one_that_went() {
    let database = OwnDatabase::new();
    let store = direct(&database).await;
    outcomes(&store, &each(0..10, rules::created)).await;
    let items = each(0..11, rules::updated);
    let make = |others: MongoStore| async move {
        outcomes(&others, &each([10], rules::created)).await;
    };
    let outcomes = with_a_removal_before_the_read(&database, items, 2, make).await;
    assert_unknown(&outcomes, &[5, 10]);
    assert_eq!((revision_of(&store, 5).await, revision_of(&store, 10).await), (None, Some(1)));
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn a_change_of_a_batch_does_not_reach_two_records_of_a_key() {
    let database = OwnDatabase::new();
    let store = direct(&database).await;
    outcomes(&store, &each(0..10, rules::created)).await;
    let items = each(0..10, rules::updated);
    let make_again = |others: MongoStore| async move {
        outcomes(&others, &each([5], rules::created)).await;
    };
    let outcomes = with_a_removal_before_the_read(&database, items, 2, make_again).await;
    assert_unknown(&outcomes, &[5]);
    assert_eq!(revision_of(&store, 5).await, Some(1));
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn a_batch_that_is_cut_off_anywhere_counts_once_when_it_is_repeated() {
    let database = OwnDatabase::new();
    let (store, proxy) = proxied(&database).await;
    let sound = direct(&database).await;
    let _ = outcomes(&sound, &each(0..20, rules::created)).await;
    let mut revision = 1;
    for direction in [Direction::ToServer, Direction::ToClient] {
        for number in 1..=6 {
            let items = each(0..20, rules::updated);
            let cut = proxy.arm(WireFault::Cut, direction, Trigger::Nth(number));
            let first = store.apply_many(&items).await;
            proxy.clear();
            for error in first.iter().filter_map(|outcome| outcome.as_ref().err()) {
                assert!(error.is_retryable(), "{error:?}");
            }
            let again = outcomes(&store, &items).await;
            revision += 1;
            for (first, again) in first.iter().zip(&again) {
                assert_eq!(again.record().unwrap().revision.get(), revision);
                if let Ok(Outcome::Applied(first)) = first {
                    assert!(!first.replayed, "number {number} {direction:?}");
                }
            }
            if cut.fired() == 0 {
                break;
            }
        }
    }
}

/// What pushes may tell, in every combination.
fn successes() -> Vec<Success> {
    let versions = [
        None,
        Some(RemoteVersion::Sequence(7)),
        Some(RemoteVersion::Timestamp(Timestamp::from_millis(7).unwrap())),
        Some(RemoteVersion::opaque("seven").unwrap()),
    ];
    let fingerprints = [None, Some(Fingerprint::new("v1:content").unwrap())];
    let metadata = Metadata::new(serde_json::json!({ "kept": [1], "gone": 2 })).unwrap();
    let merge = MetadataMerge::new(metadata.clone(), ["other"]).unwrap();
    let metadata = [MetadataOp::Keep, MetadataOp::Replace(metadata), MetadataOp::Merge(merge)];
    let mut successes = Vec::new();
    for remote_version in &versions {
        for fingerprint in &fingerprints {
            for metadata in &metadata {
                successes.push(Success {
                    remote_version: remote_version.clone(),
                    fingerprint: fingerprint.clone(),
                    metadata: metadata.clone(),
                    ..Success::default()
                });
            }
        }
    }
    successes
}

/// Without times, keys and what names the change.
fn told(record: &SyncRecord) -> impl PartialEq + std::fmt::Debug {
    let of_remote = (record.remote_version.clone(), record.remote_seen.clone());
    let content = (record.base.clone(), record.echoes.clone(), record.metadata.clone());
    (record.status(), record.revision, record.synced_revision, record.last_arm, of_remote, content)
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn what_changes_tell_is_the_same_alone_and_among_others_nearly_alike() {
    let database = OwnDatabase::new();
    let store = direct(&database).await;
    let count = successes().len();
    let first = Success { remote_version: Some(RemoteVersion::Sequence(6)), ..Success::default() };
    for (round, successes) in [vec![first; count], successes()].into_iter().enumerate() {
        let change = |success: &Success| MarkSynced { success: success.clone() }.change();
        // Twice each, so that none is alone of its kind.
        let items: Vec<_> = (0..2 * count).map(|n| (key(n), change(&successes[n / 2]))).collect();
        let together = outcomes(&store, &items).await;
        for (n, success) in successes.iter().enumerate() {
            let alone = store.apply(&key(1_000 + n), &change(success)).await.unwrap();
            for outcome in &together[2 * n..2 * n + 2] {
                assert!(outcome.is_applied(), "{round}, {success:?}: {outcome:?}");
                let (one, other) = (outcome.record().unwrap(), alone.record().unwrap());
                assert_eq!(told(one), told(other), "{round}, {success:?}");
            }
        }
    }
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn whoever_is_refused_an_external_id_stops_no_other_of_its_statement() {
    let database = OwnDatabase::new();
    let store = direct(&database).await;
    let bind = |id: usize| {
        let external_id = ExternalId::new(format!("id {id}")).unwrap();
        Bind { external_id, mode: BindMode::Add }.change()
    };
    let there = outcomes(&store, &each(300..600, rules::created)).await;
    assert!(there.iter().all(Outcome::is_applied));
    // Records that are new, and those.
    for first in [0, 300] {
        let taken = first + 150;
        assert!(store.apply(&key(1_000 + first), &bind(taken)).await.unwrap().is_applied());
        let mut items: Vec<_> = (first..first + 300).map(|id| (key(id), bind(id))).collect();
        // Others of the same command that are refused, which is told of them.
        items.extend(each([1_000, 1_300], rules::restored));
        let told = outcomes(&store, &items).await;
        for ((key, _), outcome) in items.iter().zip(told) {
            let refused = [taken, 1_000, 1_300].map(self::key);
            assert_eq!(outcome.is_applied(), !refused.contains(key), "{key:?}: {outcome:?}");
        }
    }
    assert_eq!(store.verify().await.unwrap(), []);
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn one_record_that_grows_too_large_leaves_the_others_alone() {
    let database = OwnDatabase::new();
    let store = direct(&database).await;
    let created = store.apply(&key(1), &rules::created()).await.unwrap();
    let mut large: SyncRecord = created.record().unwrap().clone();
    let full = (0..8).map(|at| (format!("k{at}"), Value::from("x".repeat(2_080_000))));
    large.metadata = Metadata::accumulated(Value::Object(full.collect())).unwrap();
    let _ = store.put(&large).await.unwrap();
    let mut items = each(0..3, || merging("more", 200_000));
    items.push((key(4), rules::created()));
    let answered = store.apply_many(&items).await;
    let kinds: Vec<_> =
        answered.iter().map(|outcome| outcome.as_ref().err().map(|error| error.kind())).collect();
    assert_eq!(kinds, [None, Some(ErrorKind::Invalid), None, None], "{:?}", answered[1]);
    assert_eq!(answered[1].as_ref().unwrap_err().key(), Some(&key(1)));
    let single = store.apply(&key(1), &items[1].1).await.unwrap_err();
    assert_eq!(single.kind(), ErrorKind::Invalid, "{single:?}");
    assert_eq!(store.get(&key(1)).await.unwrap(), Some(large));
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
async fn more_than_one_command_holds_is_sent_in_several() {
    let database = OwnDatabase::new();
    let store = direct(&database).await;
    let items = each(0..100, || merging("large", 250_000));
    for (outcome, (key, _)) in outcomes(&store, &items).await.iter().zip(&items) {
        assert!(outcome.is_applied());
        assert_eq!(&outcome.record().unwrap().key, key);
    }
    let filter = Filter::default();
    let page = store.list(&filter, None, sync_tracker_core::PageSize::MAX).await.unwrap();
    assert_eq!(page.records.len(), 100);
}
