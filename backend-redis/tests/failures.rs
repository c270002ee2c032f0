//! What servers refuse, forget and lose, and how the store says so.

#![allow(clippy::unwrap_used)] // helpers of tests too

#[path = "servers/mod.rs"]
mod servers;

use std::time::Duration;

use redis::Value;
use sync_tracker_core::rules::Success;
use sync_tracker_core::{
    Change, ErrorKind, ExternalId, Guard, Imported, Key, Survival, SyncRecord, SyncStore,
    Timestamp, rules,
};
use sync_tracker_redis::{RedisOptions, RedisStore};

use self::servers::own::OwnServer;

fn key(id: u64) -> Key {
    Key::new("shop", "product", id).unwrap()
}

async fn opened(server: &OwnServer) -> RedisStore {
    RedisOptions::from_url(&server.url()).unwrap().open().await.unwrap()
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn scripts_that_a_restart_forgot_are_sent_again() {
    let mut server = OwnServer::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let store = opened(&server).await;
    let _ = store.apply(&key(1), &rules::created()).await.unwrap();
    server.restart();
    let change = rules::updated();
    // The connection is gone, which the first call finds out.
    let first = store.apply(&key(1), &change).await;
    assert!(first.is_ok() || first.unwrap_err().is_retryable());
    let outcome = store.apply(&key(1), &change).await.unwrap();
    assert_eq!(outcome.record().unwrap().revision.get(), 2);
    let items: Vec<(Key, Change)> = (2..200).map(|id| (key(id), rules::created())).collect();
    server.say("SCRIPT FLUSH");
    for outcome in store.apply_many(&items).await {
        assert!(outcome.unwrap().is_applied());
    }
    assert_eq!(store.verify().await.unwrap(), []);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_server_that_is_full_refuses_a_change_whole() {
    let server = OwnServer::start(&[]);
    let store = opened(&server).await;
    let _ = store.apply(&key(1), &rules::created()).await.unwrap();
    server.say("CONFIG SET maxmemory 1");
    for (key, change) in [(key(1), rules::updated()), (key(2), rules::created())] {
        let full = store.apply(&key, &change).await.unwrap_err();
        assert_eq!(full.kind(), ErrorKind::Unavailable, "{full:?}");
    }
    assert_eq!(store.get(&key(2)).await.unwrap(), None);
    assert_eq!(store.verify().await.unwrap(), []);
    assert!(store.remove(&key(1), &Guard::default()).await.is_ok(), "which makes room");
    server.say("CONFIG SET maxmemory 0");
    let _ = store.apply(&key(2), &rules::created()).await.unwrap();
    assert_eq!(store.verify().await.unwrap(), []);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_replica_takes_no_writes() {
    let server = OwnServer::start(&[]);
    let store = opened(&server).await;
    let _ = store.apply(&key(1), &rules::created()).await.unwrap();
    server.say("REPLICAOF 127.0.0.1 1");
    server.say("CONFIG SET replica-serve-stale-data yes");
    let refused = store.apply(&key(1), &rules::updated()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused:?}");
    server.say("REPLICAOF NO ONE");
    let record = store.apply(&key(1), &rules::updated()).await.unwrap();
    assert_eq!(record.record().unwrap().revision.get(), 2);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_key_of_another_type_is_met_before_anything_is_written() {
    let server = OwnServer::start(&[]);
    let store = opened(&server).await;
    let synced = |external_id| {
        let success = Success { external_id, ..Success::default() };
        rules::MarkSynced { success }.change()
    };
    let bind = synced(Some(ExternalId::new("x").unwrap()));
    for end in ["r", "k", "s", "q"] {
        let name = format!("sync-tracker:{{shop}}:{end}");
        server.say(&format!("SET {name} poison"));
        let refused = store.apply(&key(1), &rules::created()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Corrupt, "{refused:?}");
        server.say(&format!("DEL {name}"));
        assert_eq!(store.get(&key(1)).await.unwrap(), None);
        assert_eq!(store.verify().await.unwrap(), []);
    }
    let _ = store.apply(&key(1), &bind).await.unwrap();
    let _ = store.apply(&key(1), &rules::deleted()).await.unwrap();
    server.say("SET sync-tracker:{shop}:f poison");
    let buried = store.apply(&key(1), &synced(None)).await.unwrap_err();
    assert_eq!(buried.kind(), ErrorKind::Corrupt, "{buried:?}");
    server.say("DEL sync-tracker:{shop}:f");
    assert_eq!(store.verify().await.unwrap(), []);
    let mut write = redis::cmd("HSET");
    write.arg("sync-tracker:{shop}:r").arg("product\x002").arg("poison");
    write.exec(&mut server.connect()).unwrap();
    for refused in [
        store.apply(&key(2), &rules::created()).await.unwrap_err(),
        store.get(&key(2)).await.unwrap_err(),
        store.remove(&key(2), &Guard::default()).await.unwrap_err(),
    ] {
        assert_eq!(refused.kind(), ErrorKind::Corrupt, "{refused:?}");
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn one_item_that_is_corrupt_spoils_no_other() {
    let server = OwnServer::start(&[]);
    let store = opened(&server).await;
    let mut write = redis::cmd("HSET");
    write.arg("sync-tracker:{shop}:r").arg("product\x005").arg("poison");
    write.exec(&mut server.connect()).unwrap();
    let items: Vec<(Key, Change)> = (0..10).map(|id| (key(id), rules::created())).collect();
    for (place, outcome) in store.apply_many(&items).await.into_iter().enumerate() {
        match place {
            5 => assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Corrupt),
            _ => assert!(outcome.unwrap().is_applied()),
        }
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn indexes_that_lie_are_found() {
    let server = OwnServer::start(&[]);
    let store = opened(&server).await;
    let _ = store.apply(&key(1), &rules::created()).await.unwrap();
    assert_eq!(store.verify().await.unwrap(), []);
    let keys = "sync-tracker:{shop}:";
    for (lie, undone) in [
        ("ZADD {}q 7 lost", "ZREM {}q lost"),
        ("ZADD {}s 0 6lost", "ZREM {}s 6lost"),
        ("ZADD {}f 0 lost", "ZREM {}f lost"),
        ("ZADD {}k 0 lost", "ZREM {}k lost"),
        ("HSET {}r lost poison", "HDEL {}r lost"),
        ("HSET {}r \x01product\0x 1", "HDEL {}r \x01product\0x"),
        ("ZADD {}q 7 product\x001", ""),
    ] {
        server.say(&lie.replace("{}", keys));
        assert_eq!(store.verify().await.unwrap().len(), 1, "{lie:?}");
        if !undone.is_empty() {
            server.say(&undone.replace("{}", keys));
            assert_eq!(store.verify().await.unwrap(), [], "{undone:?}");
        }
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_server_that_throws_keys_away_is_refused() {
    let server = OwnServer::start(&["--maxmemory-policy", "allkeys-lru"]);
    let refused = RedisOptions::from_url(&server.url()).unwrap().open().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused:?}");
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn what_a_server_keeps_is_told() {
    for (log, syncs, crash, power) in [
        ("yes", "always", Survival::Kept, Survival::Kept),
        ("yes", "no", Survival::Kept, Survival::MayBeLost),
        ("yes", "everysec", Survival::MayBeLost, Survival::MayBeLost),
        ("no", "always", Survival::MayBeLost, Survival::MayBeLost),
    ] {
        let server = OwnServer::start(&["--appendonly", log, "--appendfsync", syncs]);
        let durability = opened(&server).await.durability().await.unwrap();
        assert_eq!((durability.process_crash, durability.power_loss), (crash, power), "{syncs}");
        assert_eq!(durability.failover, Survival::MayBeLost);
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_write_waits_for_replicas() {
    let server = OwnServer::start(&[]);
    let options = RedisOptions::from_url(&server.url()).unwrap();
    let store = options.wait_for_replicas(1, Duration::from_millis(100)).open().await.unwrap();
    let change = rules::created();
    let alone = store.apply(&key(1), &change).await.unwrap_err();
    assert_eq!(alone.kind(), ErrorKind::Unknown, "{alone:?}");

    let port = server.port.to_string();
    let replica = OwnServer::start(&["--replicaof", "127.0.0.1", &port]);
    let mut tries = 0;
    while let Err(error) = store.apply(&key(1), &change).await {
        tries += 1;
        assert!(error.kind() == ErrorKind::Unknown && tries < 200, "{error:?}");
    }
    let _ = store.apply(&key(2), &rules::created()).await.unwrap();
    let kept = replica.say("HLEN sync-tracker:{shop}:r");
    assert_eq!(kept, Value::Int(2));
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_password_shows_nowhere() {
    let server = OwnServer::start(&[]);
    let url = format!("redis://app:hunter2@127.0.0.1:{}/", server.port);
    let options = RedisOptions::from_url(&url).unwrap();
    assert!(!format!("{options:?}").contains("hunter2"));
    let refused = options.open().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused:?}");
    assert!(!format!("{refused:?} {refused}").contains("hunter2"));
    let wrong = RedisOptions::from_url("redis://app:hunter2@host:port/").unwrap();
    let wrong = wrong.open().await.unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Invalid);
    assert!(!format!("{wrong:?} {wrong}").contains("hunter2"));
}

/// A script reckons in doubles, which end where some sums of instants begin.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn of_tombstones_from_any_time_the_last_deleted_is_found() {
    let server = OwnServer::start(&[]);
    let store = opened(&server).await;
    let id = ExternalId::new("x").unwrap();
    let success = Success { external_id: Some(id.clone()), ..Success::default() };
    let instants = [Timestamp::MIN.as_millis(), -2, -1, 0, 1, Timestamp::MAX.as_millis()];
    for (number, millis) in (0..).zip(instants) {
        let synced = rules::MarkSynced { success: success.clone() }.change();
        let created = synced.apply_to(&key(number), None, Timestamp::now());
        let deleted_at = Some(Timestamp::from_millis(millis).unwrap());
        let record = SyncRecord { deleted_at, ..created.record().unwrap().clone() };
        assert_eq!(store.put(&record).await.unwrap(), Imported::Stored);
        let source = &record.key.source;
        let found = store.by_external_id(source, &record.key.entity.entity_type, &id).await;
        assert_eq!(found.unwrap().as_ref(), Some(&record));
    }
    assert_eq!(store.verify().await.unwrap(), []);
}
