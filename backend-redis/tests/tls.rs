//! Connections by TLS.

#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used)]

use std::env;
use std::process::Command;

use sync_tracker_core::{ErrorKind, Guard, Key, SyncStore, rules};
use sync_tracker_redis::RedisOptions;

/// What the system trusts is read from the environment, once for a process: so the part that trusts
/// the authority is this test again, in a process of its own.
#[tokio::test]
#[ignore = "needs SYNC_TRACKER_REDIS_TLS_URL"]
async fn over_tls_the_server_is_who_its_certificate_says() {
    let url = env::var("SYNC_TRACKER_REDIS_TLS_URL").unwrap();
    let authority = env::var("SYNC_TRACKER_REDIS_TLS_AUTHORITY").unwrap();
    let prefix = format!("test-tls-{}", std::process::id());
    let options = RedisOptions::from_url(&url).unwrap().prefix(prefix);
    if env::var("SSL_CERT_FILE").is_ok_and(|trusted| trusted == authority) {
        let store = options.open().await.unwrap();
        let key = Key::new("shop", "product", 1).unwrap();
        assert!(store.apply(&key, &rules::created()).await.unwrap().is_applied());
        assert_eq!(store.get(&key).await.unwrap().unwrap().revision.get(), 1);
        let _ = store.remove(&key, &Guard::default()).await.unwrap();
        return;
    }
    let stranger = options.open().await.unwrap_err();
    assert_eq!(stranger.kind(), ErrorKind::Unavailable, "{stranger:?}");
    let plain = RedisOptions::from_url(&url.replace("rediss", "redis")).unwrap();
    let plain = plain.open().await.unwrap_err();
    assert_eq!(plain.kind(), ErrorKind::Unavailable, "{plain:?}");
    let name = "over_tls_the_server_is_who_its_certificate_says";
    let mut again = Command::new(env::current_exe().unwrap());
    again.args(["--include-ignored", "--exact", name]).env("SSL_CERT_FILE", &authority);
    let again = again.output().unwrap();
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(again.status.success() && said.contains("1 passed"), "{said}");
}
