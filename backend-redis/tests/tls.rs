//! Connections by TLS.

#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used)] // helpers of tests too

#[path = "servers/mod.rs"]
mod servers;

use std::env;
use std::path::Path;
use std::time::Duration;

use redis::Value;
use sync_tracker_core::{ErrorKind, Guard, Key, Survival, SyncStore, rules};
use sync_tracker_redis::{RedisOptions, RedisStore};

use self::servers::own::{OwnServer, Speech, wait_until};
use self::servers::tls::{Authority, certify, pass, trusted, trusting};
use self::servers::{Watched, begin_to_move, end_to_move, home_of, insist, three_by, url_of};

fn key(source: &str) -> Key {
    Key::new(source, "product", 1).unwrap()
}

async fn open(url: &str) -> RedisStore {
    RedisOptions::from_url(url).unwrap().open().await.unwrap()
}

async fn assert_unavailable(url: &str) {
    let refused = RedisOptions::from_url(url).unwrap().open().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable, "{refused:?}");
}

async fn assert_plain_is_refused(url: &str) {
    assert_unavailable(&url.replace("rediss", "redis")).await;
}

/// From now on the server shows whoever connects another certificate.
fn show(server: &OwnServer, directory: &Path, file: &str) {
    let file = |end: &str| directory.join(format!("{file}.{end}")).display().to_string();
    let (certificate, key) = (file("crt"), file("key"));
    server.say(&format!("CONFIG SET tls-cert-file {certificate} tls-key-file {key}"));
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_REDIS_TLS_URL"]
async fn over_tls_the_server_is_who_its_certificate_says() {
    let url = env::var("SYNC_TRACKER_REDIS_TLS_URL").unwrap();
    let authority = env::var("SYNC_TRACKER_REDIS_TLS_AUTHORITY").unwrap();
    if env::var("SSL_CERT_FILE").is_ok_and(|trusted| trusted == authority) {
        let prefix = format!("test-tls-{}", std::process::id());
        let options = RedisOptions::from_url(&url).unwrap().prefix(prefix);
        let store = options.open().await.unwrap();
        let key = key("shop");
        assert!(store.apply(&key, &rules::created()).await.unwrap().is_applied());
        assert_eq!(store.get(&key).await.unwrap().unwrap().revision.get(), 1);
        let _ = store.remove(&key, &Guard::default()).await.unwrap();
        return;
    }
    assert_unavailable(&url).await;
    assert_plain_is_refused(&url).await;
    let test = "over_tls_the_server_is_who_its_certificate_says";
    pass(&mut trusting(Path::new(&authority), test));
}

#[tokio::test]
#[ignore = "needs redis-server and openssl"]
async fn over_tls_sentinels_say_who_the_master_is_also_after_a_failover() {
    let test = "over_tls_sentinels_say_who_the_master_is_also_after_a_failover";
    let Some(speech) = trusted(test) else { return };
    let watched = Watched::start(&speech, 2);
    let Watched { master, replica, sentinels } = &watched;
    let (url, key) = (watched.url(), key("shop"));
    assert_plain_is_refused(&url).await;
    assert_plain_is_refused(&master.url()).await;
    let store = open(&url).await;
    assert_eq!(insist(&store, &key, &rules::created()).await, 1);
    // What the replica does not have yet would be lost.
    let is_there = || replica.say("EXISTS sync-tracker:{shop}:r") == Value::Int(1);
    wait_until("the replica has the record", is_there);
    wait_until("a Sentinel begins", || sentinels[1].try_say("SENTINEL FAILOVER main").is_ok());
    // So that nothing is written to it any more.
    master.wait_for_master();
    assert_eq!(insist(&store, &key, &rules::updated()).await, 2);
    assert_eq!(store.verify().await.unwrap(), []);
    let there = open(&replica.url()).await.get(&key).await.unwrap().unwrap();
    assert_eq!(there.revision.get(), 2, "the replica is the master");
    assert_eq!(insist(&open(&url).await, &key, &rules::updated()).await, 3);

    let stranger = Authority::new();
    show(replica, stranger.directory(), "server");
    assert_unavailable(&url).await;
    assert_eq!(insist(&store, &key, &rules::updated()).await, 4);
}

#[tokio::test]
#[ignore = "needs redis-server and openssl"]
async fn over_tls_every_server_of_a_cluster_is_found_and_followed() {
    let test = "over_tls_every_server_of_a_cluster_is_found_and_followed";
    let Some(speech) = trusted(test) else { return };
    let servers = three_by(&speech);
    let url = url_of(&servers[..1]);
    assert_plain_is_refused(&url).await;
    let options = RedisOptions::from_url(&url).unwrap().deadline(Duration::from_secs(5));
    let store = options.open().await.unwrap();
    let sources: Vec<_> = (0..24).map(|number| format!("shop {number}")).collect();
    for source in &sources {
        assert_eq!(insist(&store, &key(source), &rules::created()).await, 1);
    }
    for server in &servers {
        assert_ne!(server.say("DBSIZE"), Value::Int(0));
    }
    assert_eq!(store.records_of(&key("shop").entity).await.unwrap().len(), 24);
    assert_eq!(store.durability().await.unwrap().power_loss, Survival::MayBeLost);

    // A slot that nobody has used goes to the next server, which the first says of itself.
    let (slot, at) = home_of("moved", &servers);
    let (from, to) = (&servers[at], &servers[(at + 1) % 3]);
    begin_to_move(slot, from, to);
    end_to_move(slot, from, to);
    assert!(store.apply(&key("moved"), &rules::created()).await.unwrap().is_applied());
    assert_eq!(to.say("EXISTS sync-tracker:{moved}:r"), Value::Int(1));
    assert_eq!(store.verify().await.unwrap(), []);

    let stranger = Authority::new();
    show(&servers[2], stranger.directory(), "server");
    assert_unavailable(&url).await;
}

#[tokio::test]
#[ignore = "needs redis-server and openssl"]
async fn over_tls_servers_of_a_cluster_are_called_by_the_names_they_announce() {
    let test = "over_tls_servers_of_a_cluster_are_called_by_the_names_they_announce";
    let Some(speech) = trusted(test) else { return };
    let servers = three_by(&speech);
    for server in &servers {
        server.say("CONFIG SET cluster-announce-hostname localhost");
        server.say("CONFIG SET cluster-preferred-endpoint-type hostname");
    }
    let knows_names = |server: &OwnServer| {
        let known = format!("{:?}", server.say("CLUSTER SLOTS"));
        known.matches("localhost").count() == servers.len()
    };
    wait_until("all know the names", || servers.iter().all(knows_names));
    let Speech::Tls(directory) = &speech else { panic!() };
    certify(directory, "named", "DNS:localhost");
    for server in &servers {
        show(server, directory, "named");
    }
    let by_address = url_of(&servers[..1]);
    assert_unavailable(&by_address).await;
    let store = open(&by_address.replace("127.0.0.1", "localhost")).await;
    for number in 0..24 {
        let source = format!("shop {number}");
        assert!(store.apply(&key(&source), &rules::created()).await.unwrap().is_applied());
    }
    assert_eq!(store.verify().await.unwrap(), []);
}
