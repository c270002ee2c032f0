//! Several processes that make the tables at the same time, and some that are killed at it. A test
//! starts itself again in other processes, which an environment variable tells what to do.

#![allow(clippy::unwrap_used)] // all of it is tests

#[path = "postgres/mod.rs"]
mod postgres;

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sync_tracker_core::{Key, SyncStore, rules};
use sync_tracker_postgres::{PostgresOptions, PostgresStore};

use self::postgres::{OwnSchema, url};

const SCHEMA: &str = "SYNC_TRACKER_TEST_SCHEMA";

async fn open(schema: &str) -> PostgresStore {
    let options = PostgresOptions::from_url(&url()).unwrap().schema(schema).connections(1);
    options.open().await.unwrap()
}

/// Starts a test again in another process.
fn start(test: &str, schema: &OwnSchema) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--include-ignored", "--nocapture"])
        .env(SCHEMA, schema.name())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn key() -> Key {
    Key::new("shop", "product", 1).unwrap()
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
async fn sixteen_processes_that_begin_at_once_make_the_tables_once() {
    if let Ok(schema) = env::var(SCHEMA) {
        let outcome = open(&schema).await.apply(&key(), &rules::updated()).await.unwrap();
        assert!(outcome.is_applied());
        return;
    }
    let schema = OwnSchema::new();
    let test = "sixteen_processes_that_begin_at_once_make_the_tables_once";
    let children: Vec<_> = (0..16).map(|_| start(test, &schema)).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    let store = open(schema.name()).await;
    assert_eq!(store.get(&key()).await.unwrap().unwrap().revision.get(), 16);
    assert_eq!(store.verify().await.unwrap(), []);
}

/// How often a process is killed.
const KILLS: u32 = 24;

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
async fn processes_killed_at_any_moment_of_their_opening_keep_nobody_from_opening() {
    if let Ok(schema) = env::var(SCHEMA) {
        println!("\nbegun");
        let _ = open(&schema).await.apply(&key(), &rules::updated()).await.unwrap();
        println!("\ndone");
        return;
    }
    // Starts one, and lets it go on for some time from its beginning, or to its end.
    let let_run = |schema: &OwnSchema, time: Option<Duration>| {
        let test = "processes_killed_at_any_moment_of_their_opening_keep_nobody_from_opening";
        let mut child = start(test, schema);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        assert!(lines.any(|line| line == "begun"));
        let begun = Instant::now();
        match time {
            Some(time) => thread::sleep(time),
            None => assert!(lines.any(|line| line == "done")),
        }
        let ran = begun.elapsed();
        child.kill().unwrap();
        child.wait().unwrap();
        ran
    };
    let whole = let_run(&OwnSchema::new(), None);
    let (mut before, mut after) = (0, 0);
    for kill in 0..KILLS {
        let schema = OwnSchema::new();
        let_run(&schema, Some(whole * kill / (KILLS / 2)));
        let store = open(schema.name()).await;
        match store.get(&key()).await.unwrap() {
            None => before += 1,
            Some(_) => after += 1,
        }
        assert!(store.apply(&key(), &rules::updated()).await.unwrap().is_applied());
        assert_eq!(store.verify().await.unwrap(), []);
    }
    println!("killed {before} times before the first write, {after} times after it");
    assert!(before > 0 && after > 0);
}
