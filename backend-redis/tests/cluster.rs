//! What only a cluster does: slots that move, and masters that change.

#![allow(clippy::unwrap_used)] // helpers of tests too

#[path = "servers/mod.rs"]
mod servers;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::Value;
use sync_tracker_conformance::{Direction, FaultProxy, Trigger, WireFault};
use sync_tracker_core::rules::RetrySchedule;
use sync_tracker_core::{
    ChangeId, CheckpointStore, Error, ErrorKind, FailureNote, JsonValue, Key, SaveCheckpoint,
    Saved, Source, StreamName, Survival, SyncStore, rules,
};
use sync_tracker_redis::{RedisOptions, RedisStore};
use tokio::task::JoinSet;

use self::servers::own::OwnServer;
use self::servers::{begin_to_move, end_to_move, home_of, id_of, three, url_of};

async fn opened(servers: &[OwnServer]) -> RedisStore {
    let options =
        RedisOptions::from_url(&url_of(servers)).unwrap().deadline(Duration::from_secs(5));
    options.open().await.unwrap()
}

fn key(source: &str, id: u64) -> Key {
    Key::new(source, "product", id).unwrap()
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_slot_that_moves_is_followed_and_nothing_is_done_half() {
    let servers = three();
    let store = opened(&servers).await;
    let source = "shop";
    for id in 0..20 {
        let _ = store.apply(&key(source, id), &rules::created()).await.unwrap();
    }
    let (slot, at) = home_of(source, &servers);
    let (from, to) = (&servers[at], &servers[(at + 1) % 3]);
    begin_to_move(slot, from, to);
    let migrate = |name: &str| {
        from.say(&format!("MIGRATE 127.0.0.1 {} {name} 0 5000", to.port));
    };
    let names = ["r", "i"].map(|end| format!("sync-tracker:{{shop}}:{end}"));
    let mut expected = 1;
    for name in &names {
        migrate(name);
        let change = rules::updated();
        match store.apply(&key(source, 1), &change).await {
            Ok(outcome) => {
                expected += 1;
                assert_eq!(outcome.record().unwrap().revision.get(), expected);
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}"),
        }
    }
    // A single key is asked for where it is already; scripts wait until both keys are there.
    assert_eq!(expected, 2, "one of the two calls found the keys apart");
    let record = store.get(&key(source, 1)).await.unwrap().unwrap();
    assert_eq!(record.revision.get(), expected);
    end_to_move(slot, from, to);
    let _ = store.apply(&key(source, 1), &rules::updated()).await.unwrap();
    expected += 1;
    let record = store.get(&key(source, 1)).await.unwrap().unwrap();
    assert_eq!(record.revision.get(), expected);
    assert_eq!(store.verify().await.unwrap(), []);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn an_entity_is_found_in_sources_of_all_servers() {
    let servers = three();
    let store = opened(&servers).await;
    for number in 0..24 {
        let key = key(&format!("shop {number}"), 1);
        let _ = store.apply(&key, &rules::created()).await.unwrap();
    }
    let records = store.records_of(&key("shop", 1).entity).await.unwrap();
    assert_eq!(records.len(), 24);
    let sources = store.sources().await.unwrap();
    assert!(sources.is_sorted() && sources.len() == 24);
    assert!(sources.contains(&Source::new("shop 7").unwrap()));
    assert_eq!(store.verify().await.unwrap(), []);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_user_with_few_rights_will_do() {
    let servers = three();
    let commands = format!("{} {}", servers::COMMANDS, servers::CLUSTER_COMMANDS);
    for server in &servers {
        servers::make_user(&server.url(), "limited", "secret", &commands);
    }
    let url = format!("redis-cluster://limited:secret@127.0.0.1:{}", servers[0].port);
    let store = RedisOptions::from_url(&url).unwrap().prefix("test-x").open().await.unwrap();
    for number in 0..5 {
        let key = key(&format!("shop {number}"), 1);
        let _ = store.apply(&key, &rules::created()).await.unwrap();
    }
    assert_eq!(store.verify().await.unwrap(), []);
    let durability = store.durability().await.unwrap();
    assert_eq!(durability.power_loss, Survival::Unknown, "the user may not read settings");
}

/// What calls met while slots moved.
#[derive(Debug, Default)]
struct Met {
    unavailable: AtomicU64,
    unknown: AtomicU64,
}

impl Met {
    fn note(&self, error: &Error) {
        let count = match error.kind() {
            ErrorKind::Unavailable => &self.unavailable,
            ErrorKind::Unknown => &self.unknown,
            _ => panic!("{error:?}"),
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts failed attempts of an entity until it is over, and says how many.
async fn count(store: RedisStore, key: Key, over: Arc<AtomicBool>, met: Arc<Met>) -> u64 {
    let schedule = RetrySchedule::default();
    let mut counted = 0;
    while !over.load(Ordering::Relaxed) {
        let change = rules::mark_failed(&FailureNote::transient("again"), &schedule, None);
        let mut was_unknown = false;
        let outcome = loop {
            match store.apply(&key, &change).await {
                Ok(outcome) => break outcome,
                Err(error) => {
                    met.note(&error);
                    was_unknown |= error.kind() == ErrorKind::Unknown;
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
        };
        let applied = outcome.into_result().unwrap();
        assert!(!applied.replayed || was_unknown, "it was said not to be done");
        counted += 1;
        assert_eq!(u64::from(applied.record.attempts), counted);
    }
    counted
}

/// Moves a checkpoint until it is over, and says how often.
async fn advance(store: RedisStore, source: Source, over: Arc<AtomicBool>, met: Arc<Met>) -> u64 {
    let stream = StreamName::new("orders").unwrap();
    let mut there = store.load(&source, &stream).await.unwrap();
    while !over.load(Ordering::Relaxed) {
        let save = SaveCheckpoint {
            source: source.clone(),
            stream: stream.clone(),
            value: JsonValue::new(there.version.get().into()).unwrap(),
            version: there.version,
            generation: there.generation,
            id: ChangeId::random(),
        };
        let before = there.version;
        there = loop {
            match store.save(&save).await {
                Ok(Saved::Done(there)) => break there,
                Ok(Saved::Stale(there)) => panic!("somebody else moved it: {there:?}"),
                Err(error) => met.note(&error),
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        };
        assert_eq!(there.version.get(), before.get() + 1);
    }
    there.version.get()
}

/// Moves a slot with all that is in it, while others use it.
fn move_slot(slot: i64, servers: &[OwnServer], from: usize, to: usize) {
    let (there, here) = (&servers[to], &servers[from]);
    begin_to_move(slot, here, there);
    loop {
        let Value::Array(keys) = here.say(&format!("CLUSTER GETKEYSINSLOT {slot} 1")) else {
            panic!()
        };
        let Some(Value::BulkString(key)) = keys.first() else { break };
        let key = String::from_utf8(key.clone()).unwrap();
        here.say(&format!("MIGRATE 127.0.0.1 {} {key} 0 5000", there.port));
        std::thread::sleep(Duration::from_millis(5));
    }
    end_to_move(slot, here, there);
    for server in servers {
        server.say(&format!("CLUSTER SETSLOT {slot} NODE {}", id_of(there)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server"]
async fn slots_that_move_back_and_forth_under_load_lose_nothing_and_count_once() {
    let servers = three();
    let store = opened(&servers).await;
    let (over, met) = (Arc::new(AtomicBool::new(false)), Arc::new(Met::default()));
    let sources = ["shop", "other-shop"];
    let (mut counting, mut advancing) = (JoinSet::new(), JoinSet::new());
    for source in sources {
        for id in 0..4 {
            let (over, met) = (Arc::clone(&over), Arc::clone(&met));
            let (store, key) = (store.clone(), key(source, id));
            counting.spawn(async move { (key.clone(), count(store, key, over, met).await) });
        }
        let (over, met) = (Arc::clone(&over), Arc::clone(&met));
        let (store, source) = (store.clone(), Source::new(source).unwrap());
        advancing.spawn(async move { (source.clone(), advance(store, source, over, met).await) });
    }
    let until = Instant::now() + Duration::from_secs(4);
    let mut moves = 0;
    let mut homes = sources.map(|source| home_of(source, &servers));
    while Instant::now() < until {
        for (slot, at) in &mut homes {
            let to = (*at + 1) % 3;
            move_slot(*slot, &servers, *at, to);
            (*at, moves) = (to, moves + 1);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    over.store(true, Ordering::Relaxed);
    assert!(moves >= 4, "{moves} moves");
    while let Some(counted) = counting.join_next().await {
        let (key, told) = counted.unwrap();
        let there = store.get(&key).await.unwrap().map_or(0, |record| record.attempts);
        assert_eq!(u64::from(there), told, "{key:?}");
    }
    while let Some(advanced) = advancing.join_next().await {
        let (source, told) = advanced.unwrap();
        let there = store.load(&source, &StreamName::new("orders").unwrap()).await.unwrap();
        assert_eq!(there.version.get(), told);
    }
    assert!(met.unavailable.load(Ordering::Relaxed) > 0, "no script met a slot that moved");
    assert_eq!(met.unknown.load(Ordering::Relaxed), 0, "no connection broke");
    assert_eq!(store.verify().await.unwrap(), []);
}

/// A proxy in front of each server, by which the cluster is known.
async fn proxied(servers: &[OwnServer]) -> Vec<FaultProxy> {
    let mut proxies = Vec::new();
    for server in servers {
        let address = SocketAddr::from(([127, 0, 0, 1], server.port));
        let proxy = FaultProxy::start(address).await.unwrap();
        server.say(&format!("CONFIG SET cluster-announce-bus-port {}", server.port + 10_000));
        server.say(&format!("CONFIG SET cluster-announce-port {}", proxy.address().port()));
        server.say("CONFIG SET cluster-announce-ip 127.0.0.1");
        proxies.push(proxy);
    }
    let knows_proxies = |server: &OwnServer| {
        let known = format!("{:?}", server.say("CLUSTER SLOTS"));
        proxies.iter().all(|proxy| known.contains(&format!("int({})", proxy.address().port())))
    };
    let until = Instant::now() + Duration::from_secs(20);
    while !servers.iter().all(knows_proxies) {
        assert!(Instant::now() < until, "{:?}", servers[0].say("CLUSTER SLOTS"));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    proxies
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn whatever_is_cut_off_or_falls_silent_anywhere_in_a_cluster_counts_once() {
    let servers = three();
    let proxies = proxied(&servers).await;
    let hosts: Vec<_> = proxies.iter().map(|proxy| proxy.address().to_string()).collect();
    let url = format!("redis-cluster://{}", hosts.join(","));
    let options = RedisOptions::from_url(&url).unwrap().deadline(Duration::from_millis(400));
    let store = options.open().await.unwrap();
    let proxy = &proxies[home_of("shop", &servers).1];
    let (key, schedule) = (key("shop", 1), RetrySchedule::default());
    let attempts_of = async || {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            match store.get(&key).await {
                Ok(record) => return record.map_or(0, |record| record.attempts),
                Err(error) => assert!(error.is_retryable() && Instant::now() < until, "{error:?}"),
            }
        }
    };
    let (mut attempts, mut unknown, mut applied, mut fired) = (0, 0, 0, 0);
    for fault in [WireFault::Cut, WireFault::Reset, WireFault::Silence] {
        for direction in [Direction::ToServer, Direction::ToClient] {
            for is_cold in [false, true] {
                for number in 1.. {
                    if is_cold {
                        // Found out by this call, so that the next one connects and asks anew.
                        proxies.iter().for_each(FaultProxy::cut_connections);
                        drop(store.get(&key).await);
                    }
                    let change =
                        rules::mark_failed(&FailureNote::transient("again"), &schedule, None);
                    let armed = proxy.arm(fault, direction, Trigger::Nth(number));
                    let answer = store.apply(&key, &change).await;
                    proxy.clear();
                    if let Err(error) = &answer {
                        assert!(error.is_retryable(), "{error:?}");
                        let done = attempts_of().await > attempts;
                        let is_unknown = error.kind() == ErrorKind::Unknown;
                        assert!(!done || is_unknown, "done, and told {error:?}");
                        unknown += u32::from(is_unknown);
                        applied += u32::from(done);
                    }
                    let until = Instant::now() + Duration::from_secs(20);
                    let repeated = loop {
                        match store.apply(&key, &change).await {
                            Ok(repeated) => break repeated,
                            Err(error) => assert!(Instant::now() < until, "{error:?}"),
                        }
                    };
                    attempts += 1;
                    let place = format!("{fault:?} {direction:?} {is_cold} {number}");
                    assert_eq!(repeated.record().unwrap().attempts, attempts, "{place}");
                    fired += armed.fired();
                    if armed.fired() == 0 {
                        break;
                    }
                }
            }
        }
    }
    assert!(unknown > 0 && applied > 0, "{unknown} unknown, {applied} of them applied");
    assert!(fired > 12, "{fired}");
    assert_eq!(attempts_of().await, attempts);
    assert_eq!(store.verify().await.unwrap(), []);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_master_that_falls_silent_keeps_nobody_from_the_others() {
    let servers = three();
    let proxies = proxied(&servers).await;
    let hosts: Vec<_> = proxies.iter().map(|proxy| proxy.address().to_string()).collect();
    let url = format!("redis-cluster://{}", hosts.join(","));
    let options = RedisOptions::from_url(&url).unwrap().deadline(Duration::from_millis(800));
    let store = options.open().await.unwrap();
    let sources: Vec<_> = (0..12).map(|number| format!("shop {number}")).collect();
    for source in &sources {
        let _ = store.apply(&key(source, 1), &rules::created()).await.unwrap();
    }
    proxies[0].partition();
    for _ in 0..2 {
        let (mut answered, mut silent) = (0, 0);
        for source in &sources {
            match store.apply(&key(source, 1), &rules::updated()).await {
                Ok(_) => answered += 1,
                Err(error) => {
                    assert!(error.is_retryable(), "{error:?}");
                    silent += 1;
                }
            }
        }
        assert!(answered > 0 && silent > 0, "{answered} answered, {silent} silent");
    }
    proxies[0].heal();
    for source in &sources {
        let until = Instant::now() + Duration::from_secs(20);
        while let Err(error) = store.apply(&key(source, 1), &rules::updated()).await {
            assert!(error.is_retryable() && Instant::now() < until, "{error:?}");
        }
    }
    assert_eq!(store.verify().await.unwrap(), []);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn writes_to_a_cluster_wait_for_replicas_wherever_a_slot_moves() {
    let servers = three();
    let options =
        RedisOptions::from_url(&url_of(&servers)).unwrap().deadline(Duration::from_secs(5));
    let plain = options.clone().open().await.unwrap();
    let waiting = options.wait_for_replicas(1, Duration::from_millis(50)).open().await.unwrap();
    let change = rules::created();
    let alone = waiting.apply(&key("shop", 1), &change).await.unwrap_err();
    assert_eq!(alone.kind(), ErrorKind::Unknown, "{alone:?}");
    let (source, stream) = (Source::new("shop").unwrap(), StreamName::new("orders").unwrap());
    let (slot, at) = home_of("shop", &servers);
    begin_to_move(slot, &servers[at], &servers[(at + 1) % 3]);
    let late = waiting.reset(&source, &stream, ChangeId::random()).await.unwrap_err();
    assert_eq!(late.kind(), ErrorKind::Unknown, "{late:?}");
    let there = plain.load(&source, &stream).await.unwrap();
    assert_eq!(there.generation.get(), 1, "it is done");
}
