//! What only a cluster does: slots that move, and masters that change.

#![allow(clippy::unwrap_used)] // helpers of tests too

#[path = "servers/mod.rs"]
mod servers;

use std::time::Duration;

use redis::Value;
use sync_tracker_core::{ErrorKind, Key, Source, Survival, SyncStore, rules};
use sync_tracker_redis::{RedisOptions, RedisStore};

use self::servers::own::OwnServer;
use self::servers::three;

async fn opened(servers: &[OwnServer]) -> RedisStore {
    let hosts: Vec<_> = servers.iter().map(|server| format!("127.0.0.1:{}", server.port)).collect();
    let url = format!("redis-cluster://{}", hosts.join(","));
    let options = RedisOptions::from_url(&url).unwrap().deadline(Duration::from_secs(5));
    options.open().await.unwrap()
}

fn id_of(server: &OwnServer) -> String {
    let Value::BulkString(id) = server.say("CLUSTER MYID") else { panic!() };
    String::from_utf8(id).unwrap()
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
    let Value::Int(slot) = servers[0].say("CLUSTER KEYSLOT sync-tracker:{shop}:r") else {
        panic!()
    };
    let at = usize::try_from(slot / 5461).unwrap().min(2);
    let (from, to) = (&servers[at], &servers[(at + 1) % 3]);
    to.say(&format!("CLUSTER SETSLOT {slot} IMPORTING {}", id_of(from)));
    from.say(&format!("CLUSTER SETSLOT {slot} MIGRATING {}", id_of(to)));
    let migrate = |name: &str| {
        from.say(&format!("MIGRATE 127.0.0.1 {} {name} 0 5000", to.port));
    };
    let names = ["r", "k", "s", "q"].map(|end| format!("sync-tracker:{{shop}}:{end}"));
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
    // A single key is asked for where it is already; scripts wait for the end of the move.
    let record = store.get(&key(source, 1)).await.unwrap().unwrap();
    assert_eq!(record.revision.get(), expected);
    let waits = store.apply(&key(source, 1), &rules::updated()).await.unwrap_err();
    assert_eq!(waits.kind(), ErrorKind::Unavailable, "{waits:?}");
    for server in [to, from] {
        server.say(&format!("CLUSTER SETSLOT {slot} NODE {}", id_of(to)));
    }
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
