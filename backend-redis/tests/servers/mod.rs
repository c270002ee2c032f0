//! Stores on the servers that `SYNC_TRACKER_REDIS_URL` and `SYNC_TRACKER_REDIS_CLUSTER_URLS` name,
//! each with a prefix of its own.

// Each test target uses some of this, and a test may panic.
#![allow(dead_code, clippy::expect_used)]

pub(crate) mod own;
#[cfg(feature = "tls")]
pub(crate) mod tls;

use std::env;
use std::thread;
use std::time::{Duration, Instant};

use redis::{Client, Connection, Value};
use sync_tracker_conformance::{Guarded, Setup};
use sync_tracker_core::{Change, Key, SyncStore};
use sync_tracker_redis::{RedisOptions, RedisStore};

use self::own::{OwnServer, Speech, wait_until};

/// Where the single server is.
pub(crate) fn url() -> String {
    env::var("SYNC_TRACKER_REDIS_URL").expect("SYNC_TRACKER_REDIS_URL names a server")
}

/// Where the servers of the cluster are.
pub(crate) fn cluster_urls() -> Vec<String> {
    let urls = env::var("SYNC_TRACKER_REDIS_CLUSTER_URLS");
    let urls = urls.expect("SYNC_TRACKER_REDIS_CLUSTER_URLS names the servers of a cluster");
    urls.split(',').map(Into::into).collect()
}

/// The cluster in one URL.
pub(crate) fn cluster_url() -> String {
    let hosts = cluster_urls();
    let hosts: Vec<_> =
        hosts.iter().map(|url| url.trim_start_matches("redis://").trim_end_matches('/')).collect();
    format!("redis-cluster://{}", hosts.join(","))
}

/// A prefix whose keys go when its test is done.
#[derive(Debug)]
pub(crate) struct OwnPrefix {
    pub(crate) prefix: String,
    servers: Vec<String>,
}

impl OwnPrefix {
    pub(crate) fn new(name: &str, servers: Vec<String>) -> Self {
        Self { prefix: format!("test-{}-{name}", std::process::id()), servers }
    }
}

impl Drop for OwnPrefix {
    fn drop(&mut self) {
        let (pattern, servers) = (format!("{}:*", self.prefix), self.servers.clone());
        // The runtime of the test may be in the way.
        let sweeping = thread::spawn(move || {
            for server in &servers {
                let client = Client::open(server.as_str()).expect("a URL");
                sweep(&mut client.get_connection().expect("a connection"), &pattern);
            }
        });
        if sweeping.join().is_err() && !thread::panicking() {
            panic!("keys of {} are left", self.prefix);
        }
    }
}

/// Removes keys from a server that is a master.
fn sweep(connection: &mut Connection, pattern: &str) {
    let role: Vec<Value> = redis::cmd("ROLE").query(connection).expect("the server has a role");
    if role.first() != Some(&Value::BulkString(b"master".into())) {
        return;
    }
    let mut cursor = 0_u64;
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(1_000);
        let (next, keys): (u64, Vec<String>) = scan.query(connection).expect("keys");
        for key in keys {
            let _: i64 = redis::cmd("UNLINK").arg(key).query(connection).expect("the key goes");
        }
        cursor = next;
        if cursor == 0 {
            return;
        }
    }
}

/// A store on the single server.
pub(crate) async fn single(setup: Setup) -> Guarded<RedisStore, OwnPrefix> {
    let guard = OwnPrefix::new(&setup.namespace, vec![url()]);
    let options = RedisOptions::from_url(&url()).expect("a URL").prefix(&guard.prefix);
    let store = options.clock(setup.clock).open().await.expect("the store opens");
    Guarded { store, guard }
}

/// A store on the cluster.
pub(crate) async fn cluster(setup: Setup) -> Guarded<RedisStore, OwnPrefix> {
    let guard = OwnPrefix::new(&setup.namespace, cluster_urls());
    let options = RedisOptions::from_url(&cluster_url()).expect("a URL").prefix(&guard.prefix);
    let store = options.clock(setup.clock).open().await.expect("the store opens");
    Guarded { store, guard }
}

/// What a user has to be allowed, as `docs/redis.md` says.
pub(crate) const COMMANDS: &str = "+eval +evalsha +hdel +hget +hgetall +hmget +hscan +hset +info \
    +time +zadd +zlexcount +zrange +zrem";

/// What a user of a cluster has to be allowed besides.
pub(crate) const CLUSTER_COMMANDS: &str = "+asking +cluster|slots";

/// Makes a user that may do what it has to, and no more.
pub(crate) fn make_user(server: &str, name: &str, password: &str, commands: &str) {
    let client = Client::open(server).expect("a URL");
    let mut set = redis::cmd("ACL");
    set.arg("SETUSER").arg(name).arg("reset").arg("on").arg(format!(">{password}"));
    set.arg("~test-*");
    commands.split_whitespace().for_each(|command| {
        set.arg(command);
    });
    set.exec(&mut client.get_connection().expect("a connection")).expect("the user is made");
}

/// A store on the single server whose user may do nothing but what the store does.
pub(crate) async fn limited(setup: Setup) -> Guarded<RedisStore, OwnPrefix> {
    const USER: &str = "sync_tracker_limited";
    let password = "limited";
    make_user(&url(), USER, password, COMMANDS);
    let guard = OwnPrefix::new(&setup.namespace, vec![url()]);
    let with_user = url().replace("redis://", &format!("redis://{USER}:{password}@"));
    let options = RedisOptions::from_url(&with_user).expect("a URL").prefix(&guard.prefix);
    let store = options.clock(setup.clock).open().await.expect("the store opens");
    Guarded { store, guard }
}

/// Three masters with all slots between them.
pub(crate) fn three() -> Vec<OwnServer> {
    three_by(&Speech::Plain)
}

/// The same, where servers speak so.
pub(crate) fn three_by(speech: &Speech) -> Vec<OwnServer> {
    let settings = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
    let servers: Vec<_> = (0..3).map(|_| OwnServer::start_by(speech, &settings)).collect();
    for (server, slots) in servers.iter().zip(["0 5460", "5461 10922", "10923 16383"]) {
        server.say(&format!("CLUSTER ADDSLOTSRANGE {slots}"));
        server.say(&format!("CLUSTER MEET 127.0.0.1 {}", servers[0].port));
    }
    let is_up = |server: &OwnServer| {
        let Value::BulkString(info) = server.say("CLUSTER INFO") else { panic!("no info") };
        let info = String::from_utf8(info).expect("text");
        info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
    };
    wait_until("the cluster is up", || servers.iter().all(is_up));
    servers
}

/// The slot of a source, and which of three servers has it.
pub(crate) fn home_of(source: &str, servers: &[OwnServer]) -> (i64, usize) {
    let asked = servers[0].say(&format!("CLUSTER KEYSLOT sync-tracker:{{{source}}}:r"));
    let Value::Int(slot) = asked else { panic!("{asked:?}") };
    (slot, usize::try_from(slot / 5461).expect("a slot").min(2))
}

/// What other servers of its cluster call a server.
pub(crate) fn id_of(server: &OwnServer) -> String {
    let Value::BulkString(id) = server.say("CLUSTER MYID") else { panic!("no id") };
    String::from_utf8(id).expect("text")
}

/// From now on what is not there yet is asked for elsewhere.
pub(crate) fn begin_to_move(slot: i64, from: &OwnServer, to: &OwnServer) {
    to.say(&format!("CLUSTER SETSLOT {slot} IMPORTING {}", id_of(from)));
    from.say(&format!("CLUSTER SETSLOT {slot} MIGRATING {}", id_of(to)));
}

/// The slot has moved. Whom it moves to has to know first, and by what was begun: else the other one
/// may take it back.
pub(crate) fn end_to_move(slot: i64, from: &OwnServer, to: &OwnServer) {
    for server in [to, from] {
        server.say(&format!("CLUSTER SETSLOT {slot} NODE {}", id_of(to)));
    }
}

fn hosts(servers: &[OwnServer]) -> String {
    let hosts: Vec<_> = servers.iter().map(|server| format!("127.0.0.1:{}", server.port)).collect();
    hosts.join(",")
}

/// A cluster by these of its servers.
pub(crate) fn url_of(servers: &[OwnServer]) -> String {
    format!("{}-cluster://{}", servers[0].scheme(), hosts(servers))
}

/// A master called `main` with a replica, and Sentinels that watch it.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) master: OwnServer,
    pub(crate) replica: OwnServer,
    pub(crate) sentinels: Vec<OwnServer>,
}

impl Watched {
    pub(crate) fn start(speech: &Speech, sentinels: usize) -> Self {
        let master = OwnServer::start_by(speech, &[]);
        let replica = OwnServer::replica(&master);
        let sentinels: Vec<_> =
            (0..sentinels).map(|_| OwnServer::sentinel("main", &master)).collect();
        for sentinel in &sentinels {
            // They look and tell more often than every ten and two seconds.
            sentinel.say("SENTINEL DEBUG info-period 500 publish-period 200");
        }
        let are_known = |words: &str, number: usize| {
            let knows = |sentinel: &OwnServer| match sentinel.say(words) {
                Value::Array(known) => known.len() == number,
                _ => false,
            };
            sentinels.iter().all(knows)
        };
        wait_until("all know of each other", || {
            are_known("SENTINEL REPLICAS main", 1)
                && are_known("SENTINEL SENTINELS main", sentinels.len() - 1)
        });
        Self { master, replica, sentinels }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}-sentinel://{}/main", self.master.scheme(), hosts(&self.sentinels))
    }
}

/// Repeats a change until it is answered. Until then each error says that it may be.
pub(crate) async fn insist(store: &RedisStore, key: &Key, change: &Change) -> u64 {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        match store.apply(key, change).await {
            Ok(outcome) => return outcome.record().expect("it is applied").revision.get(),
            Err(error) => {
                assert!(error.is_retryable() && Instant::now() < until, "{error:?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}
