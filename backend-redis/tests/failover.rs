//! Another server becomes the master.

#![allow(clippy::unwrap_used)] // helpers of tests too

#[path = "servers/mod.rs"]
mod servers;

use std::env;
use std::time::Duration;

use redis::Value;
use sync_tracker_core::{Key, SyncStore, rules};
use sync_tracker_redis::RedisOptions;

use self::servers::own::{OwnServer, Speech, wait_until};
use self::servers::{OwnPrefix, Watched, home_of, id_of, insist, three, url_of};

fn key(id: u64) -> Key {
    Key::new("shop", "product", id).unwrap()
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn sentinel_says_who_the_master_is() {
    let mut watched = Watched::start(&Speech::Plain, 1);
    let url = watched.url();
    let options = RedisOptions::from_url(&url).unwrap().deadline(Duration::from_secs(5));
    let store = options.open().await.unwrap();
    assert_eq!(insist(&store, &key(1), &rules::created()).await, 1);
    // What the replica does not have yet would be lost.
    let replica = &watched.replica;
    let is_there = || replica.say("EXISTS sync-tracker:{shop}:r") == Value::Int(1);
    wait_until("the replica has the record", is_there);
    watched.master.end();
    assert_eq!(insist(&store, &key(1), &rules::updated()).await, 2);
    assert_eq!(replica.say("EXISTS sync-tracker:{shop}:r"), Value::Int(1));
    assert_eq!(store.verify().await.unwrap(), []);
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_REDIS_SENTINEL_URLS"]
async fn several_sentinels_are_asked() {
    let urls = env::var("SYNC_TRACKER_REDIS_SENTINEL_URLS").unwrap();
    let name = env::var("SYNC_TRACKER_REDIS_SENTINEL_MASTER").unwrap();
    let hosts = urls.replace("redis://", "").replace('/', "");
    let own = OwnPrefix::new("sentinels", Vec::new());
    let options = RedisOptions::from_url(&format!("redis-sentinel://{hosts}/{name}")).unwrap();
    let store = options.prefix(&own.prefix).open().await.unwrap();
    assert_eq!(insist(&store, &key(1), &rules::created()).await, 1);
    let _ = store.remove(&key(1), &sync_tracker_core::Guard::default()).await.unwrap();
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_replica_of_a_cluster_takes_over() {
    let mut servers = three();
    let (_, at) = home_of("shop", &servers);
    let settings = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
    let replica = OwnServer::start(&settings);
    replica.say(&format!("CLUSTER MEET 127.0.0.1 {}", servers[at].port));
    let id = id_of(&servers[at]);
    wait_until("the replica knows all", || {
        let Value::BulkString(nodes) = replica.say("CLUSTER NODES") else { panic!() };
        let known = String::from_utf8(nodes).unwrap();
        let is_known = |line: &str| line.starts_with(&id) && line.contains("master");
        known.lines().filter(|line| line.contains(" connected")).count() == 4
            && known.lines().any(is_known)
    });
    replica.say(&format!("CLUSTER REPLICATE {id}"));
    replica.wait_for_master();
    let options =
        RedisOptions::from_url(&url_of(&servers)).unwrap().deadline(Duration::from_secs(5));
    let store = options.open().await.unwrap();
    assert_eq!(insist(&store, &key(1), &rules::created()).await, 1);
    // What the replica does not have yet would be lost.
    let has_all = || replica.say("DBSIZE") == servers[at].say("DBSIZE");
    wait_until("the replica has the record", has_all);
    servers[at].end();
    assert_eq!(insist(&store, &key(1), &rules::updated()).await, 2);
    assert_eq!(insist(&store, &key(2), &rules::created()).await, 1);
    assert_eq!(store.verify().await.unwrap(), []);
}
