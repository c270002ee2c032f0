//! What servers refuse, forget and lose, and how the store says so.

#![allow(clippy::unwrap_used)] // helpers of tests too

#[path = "servers/mod.rs"]
mod servers;

use std::time::Duration;

use redis::Value;
use sync_tracker_core::rules::Success;
use sync_tracker_core::{
    BeginInbox, Begun, Change, ChangeId, CheckpointStore, DedupeKey, ErrorKind, ExternalId,
    Generation, Guard, Imported, InboxStore, JsonValue, Key, Millis, SaveCheckpoint, Saved,
    StreamName, Survival, SyncRecord, SyncStore, Ticket, Timestamp, Token, Version, rules,
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
    let synced = rules::MarkSynced { success: Success::default() }.change();
    // It brings nothing into the index, so the server may take it; but never half of it.
    if let Err(full) = store.apply(&key(1), &synced).await {
        assert_eq!(full.kind(), ErrorKind::Unavailable, "{full:?}");
    }
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
    for end in ["r", "i"] {
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
    server.say("RENAME sync-tracker:{shop}:i kept");
    server.say("SET sync-tracker:{shop}:i poison");
    let buried = store.apply(&key(1), &synced(None)).await.unwrap_err();
    assert_eq!(buried.kind(), ErrorKind::Corrupt, "{buried:?}");
    server.say("RENAME kept sync-tracker:{shop}:i");
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
        ("ZADD {}i 0 q6lost", "ZREM {}i q6lost"),
        ("ZADD {}i 0 s6lost", "ZREM {}i s6lost"),
        ("ZADD {}i 0 xlost", "ZREM {}i xlost"),
        ("ZADD {}i 0 klost", "ZREM {}i klost"),
        ("HSET {}r lost poison", "HDEL {}r lost"),
        ("HSET {}r \x01product\0x 1", "HDEL {}r \x01product\0x"),
        ("ZADD {}i 7 kproduct\x001", ""),
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

/// One who may do half of what a script does would leave half of a change.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_user_who_lacks_one_right_is_refused_when_the_store_is_opened() {
    let server = OwnServer::start(&[]);
    let open = async |commands: &str| {
        servers::make_user(&server.url(), "app", "secret", commands);
        let url = format!("redis://app:secret@127.0.0.1:{}/", server.port);
        RedisOptions::from_url(&url).unwrap().prefix("test-rights").open().await
    };
    open(servers::COMMANDS).await.unwrap();
    for lacking in servers::COMMANDS.split_whitespace().filter(|it| *it != "+eval") {
        let commands = servers::COMMANDS.replace(&format!("{lacking} "), "");
        let commands = commands.trim_end_matches(lacking);
        let refused = open(commands).await.expect_err(lacking);
        assert_eq!(refused.kind(), ErrorKind::Unsupported, "{lacking}: {refused:?}");
    }
    server.say("SCRIPT FLUSH");
    let refused = open(&servers::COMMANDS.replace("+eval ", "")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused:?}");
    assert_eq!(server.say("DBSIZE"), Value::Int(0));
    // Nor does it keep anybody from a server that is full.
    server.say("CONFIG SET maxmemory 1");
    open(servers::COMMANDS).await.unwrap();
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

/// Whether a change is refused for now, and nothing of it is there.
async fn refused_for_now(store: &RedisStore, change: &Change) {
    let refused = store.apply(&key(1), change).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused:?}");
}

/// Applies a change that was refused before, twice: it counts once.
async fn applies_once(store: &RedisStore, change: &Change, revision: u64) {
    for _ in 0..2 {
        let outcome = store.apply(&key(1), change).await.unwrap();
        assert_eq!(outcome.record().unwrap().revision.get(), revision);
    }
    assert_eq!(store.verify().await.unwrap(), []);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_server_that_loads_what_it_kept_is_not_ready() {
    let slowly = ["--key-load-delay", "200", "--loading-process-events-interval-bytes", "1024"];
    let settings = ["--appendonly", "yes", "--appendfsync", "always"];
    let debug = ["--enable-debug-command", "yes"];
    let mut server = OwnServer::start(&[&slowly[..], &settings, &debug].concat());
    let store = opened(&server).await;
    let _ = store.apply(&key(1), &rules::created()).await.unwrap();
    server.say("DEBUG POPULATE 10000 filler 100");
    server.say("BGREWRITEAOF");
    while {
        let Value::BulkString(info) = server.say("INFO persistence") else { panic!() };
        let info = String::from_utf8(info).unwrap();
        info.contains("aof_rewrite_in_progress:1") || info.contains("aof_rewrite_scheduled:1")
    } {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.begin_restart();
    let change = rules::updated();
    let mut codes = Vec::new();
    let outcome = loop {
        match store.apply(&key(1), &change).await {
            Ok(outcome) => break outcome,
            Err(error) => {
                assert!(error.is_retryable(), "{error:?}");
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                codes.push((error.kind(), cause.unwrap_or_default()));
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let is_loading = |(_, cause): &&(ErrorKind, String)| cause.starts_with("LOADING");
    let loading: Vec<_> = codes.iter().filter(is_loading).collect();
    assert!(!loading.is_empty(), "{codes:?}");
    assert!(loading.iter().all(|(kind, _)| *kind == ErrorKind::Unavailable), "{loading:?}");
    assert_eq!(outcome.record().unwrap().revision.get(), 2);
    applies_once(&store, &change, 2).await;
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_server_that_cannot_write_its_snapshot_takes_no_changes() {
    let server = OwnServer::start(&["--save", "3600", "1"]);
    let store = opened(&server).await;
    let _ = store.apply(&key(1), &rules::created()).await.unwrap();
    // There is no room for it at all.
    std::fs::remove_dir_all(server.directory()).unwrap();
    server.say("BGSAVE");
    while {
        let Value::BulkString(info) = server.say("INFO persistence") else { panic!() };
        !String::from_utf8(info).unwrap().contains("rdb_last_bgsave_status:err")
    } {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let change = rules::updated();
    refused_for_now(&store, &change).await;
    assert_eq!(store.get(&key(1)).await.unwrap().unwrap().revision.get(), 1);
    assert_eq!(store.verify().await.unwrap(), []);
    server.say("CONFIG SET stop-writes-on-bgsave-error no");
    applies_once(&store, &change, 2).await;
    std::fs::create_dir_all(server.directory()).unwrap();
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_server_that_has_too_few_replicas_takes_no_changes() {
    let server = OwnServer::start(&[]);
    let store = opened(&server).await;
    let _ = store.apply(&key(1), &rules::created()).await.unwrap();
    server.say("CONFIG SET min-replicas-to-write 1");
    let change = rules::updated();
    refused_for_now(&store, &change).await;
    assert_eq!(store.get(&key(1)).await.unwrap().unwrap().revision.get(), 1);
    assert_eq!(store.verify().await.unwrap(), []);
    server.say("CONFIG SET min-replicas-to-write 0");
    applies_once(&store, &change, 2).await;
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_server_that_a_script_of_somebody_keeps_busy_is_not_ready() {
    let server = OwnServer::start(&["--busy-reply-threshold", "50"]);
    let store = opened(&server).await;
    let _ = store.apply(&key(1), &rules::created()).await.unwrap();
    let mut other = server.connect();
    let endless = std::thread::spawn(move || {
        let mut eval = redis::cmd("EVAL");
        eval.arg("while true do end").arg(0).exec(&mut other)
    });
    let change = rules::updated();
    tokio::time::sleep(Duration::from_millis(300)).await;
    refused_for_now(&store, &change).await;
    let refused = store.get(&key(1)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused:?}");
    server.say("SCRIPT KILL");
    assert!(endless.join().unwrap().is_err());
    applies_once(&store, &change, 2).await;
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn entries_that_are_none_are_corrupt_and_stay() {
    let server = OwnServer::start(&[]);
    let store = opened(&server).await;
    let (shop, stream) = (key(1).source, StreamName::new("orders").unwrap());
    let (span, value) = (Millis::new(1_000).unwrap(), JsonValue::new(1.into()).unwrap());
    let dedupe = DedupeKey::new("1").unwrap();
    let id = ChangeId::random();
    let begin = BeginInbox::new(shop.clone(), dedupe.clone(), span, id).unwrap();
    let ticket = Ticket { source: shop.clone(), key: dedupe, token: Token::new(1).unwrap() };
    let (version, generation) = (Version::ZERO, Generation::ZERO);
    let (source, of) = (shop.clone(), stream.clone());
    let save = SaveCheckpoint { source, stream: of, value: value.clone(), version, generation, id };
    for (poison, undone) in [
        ("SET sync-tracker:{shop}:{} poison", "DEL sync-tracker:{shop}:{}"),
        ("HSET sync-tracker:{shop}:{} {f} poison", "DEL sync-tracker:{shop}:{}"),
    ] {
        let say = |words: &str, key: &str, field: &str| {
            server.say(&words.replace("{f}", field).replace("{}", key));
        };
        say(poison, "inbox", "1");
        say(poison, "checkpoints", "orders");
        let errors = [
            store.begin(&begin).await.unwrap_err(),
            store.complete(&ticket, &value, span).await.unwrap_err(),
            store.abandon(&ticket).await.unwrap_err(),
            store.forget_expired(&shop, span).await.unwrap_err(),
            store.load(&shop, &stream).await.unwrap_err(),
            store.save(&save).await.unwrap_err(),
            store.reset(&shop, &stream, id).await.unwrap_err(),
            store.checkpoints(&shop).await.unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
        }
        say(undone, "inbox", "1");
        say(undone, "checkpoints", "orders");
        server.say("HSET sync-tracker:{shop}:checkpoints \x01horizon poison");
        let error = store.raise_horizon(&shop, Timestamp::now()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
        let error = store.horizon(&shop).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
        server.say("DEL sync-tracker:{shop}:checkpoints");
    }
    assert!(matches!(store.begin(&begin).await.unwrap(), Begun::Fresh(_)));
    assert!(matches!(store.save(&save).await.unwrap(), Saved::Done(_)));
}
