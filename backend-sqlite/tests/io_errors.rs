//! A file that may not grow any further, in the middle of commits: what was acknowledged stays, and
//! what was not is there whole or not at all.

#![cfg(unix)]
#![allow(clippy::unwrap_used)] // all of it is tests

mod stores;

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use sync_tracker_core::rules::{Bind, BindMode};
use sync_tracker_core::{Change, ErrorKind, ExternalId, Key, SyncStore};
use sync_tracker_sqlite::SqliteOptions;

use self::stores::Scratch;

const FILE: &str = "SYNC_TRACKER_SQLITE_FILE";

/// How large the shell lets a file become, in blocks of 512 bytes, or of 1,024 as some shells count.
/// A write past it fails with an I/O error instead of ending the process.
const LIMITED: &str = "trap '' XFSZ; ulimit -f 2000; exec \"$0\" \"$@\"";

fn key(id: u64) -> Key {
    Key::new("shop", "product", id).unwrap()
}

/// Creates one record with an external id.
fn create(id: u64) -> Change {
    let external_id = ExternalId::new(format!("gid-{id}")).unwrap();
    Bind { external_id, mode: BindMode::Add }.change()
}

/// Writes until that fails, tells each acknowledgement, and that it failed as it should.
async fn write(file: PathBuf) {
    let store = SqliteOptions::file(file).open().await.unwrap();
    let tell = |line: &str| eprintln!("{line}");
    for id in 0.. {
        match store.apply(&key(id), &create(id)).await {
            Ok(outcome) => {
                assert!(outcome.is_applied());
                tell(&format!("acked {id}"));
            }
            Err(error) => {
                assert!(error.is_retryable(), "{error:?}");
                // A reader is not in the way, and neither is what failed.
                assert!(store.get(&key(0)).await.unwrap().is_some());
                tell(&format!("{:?}", error.kind()));
                return;
            }
        }
    }
}

#[tokio::test]
async fn a_commit_that_cannot_be_written_is_unknown_and_leaves_no_half() {
    if let Some(file) = env::var_os(FILE) {
        return write(file.into()).await;
    }
    let scratch = Scratch::new("io_errors");
    let output = Command::new("sh")
        .args(["-c", LIMITED])
        .arg(env::current_exe().unwrap())
        .args(["--exact", "a_commit_that_cannot_be_written_is_unknown_and_leaves_no_half"])
        .arg("--nocapture")
        .env(FILE, scratch.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stdout));
    let acked = told.lines().filter(|line| line.starts_with("acked ")).count();
    assert!(acked > 10, "{told}");
    assert_eq!(told.lines().last(), Some(format!("{:?}", ErrorKind::Unknown).as_str()), "{told}");

    let store = SqliteOptions::file(scratch.path()).open().await.unwrap();
    for id in 0..u64::try_from(acked).unwrap() {
        assert!(store.get(&key(id)).await.unwrap().is_some(), "{id} of {acked} is lost");
    }
    assert_eq!(store.verify().await.unwrap(), []);
    let next = u64::try_from(acked).unwrap();
    assert!(store.apply(&key(next), &create(next)).await.unwrap().is_applied());
}
