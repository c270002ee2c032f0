//! Several processes on one file. A test starts itself again in other processes, which an environment
//! variable tells what to do.

#![allow(clippy::unwrap_used)] // all of it is tests

mod stores;

use std::env;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, query, raw_sql};
use sync_tracker_core::{Key, Outcome, SyncStore, rules};
use sync_tracker_sqlite::SqliteOptions;

use self::stores::Scratch;

const FILE: &str = "SYNC_TRACKER_SQLITE_FILE";

/// The file that this process is to work on, if it is one that a test has started.
fn told() -> Option<PathBuf> {
    env::var_os(FILE).map(PathBuf::from)
}

/// Starts a test again in another process.
fn start(test: &str, file: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(FILE, file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits for a process, which must have found nothing wrong.
fn succeeds(child: Child) {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn key(id: u32) -> Key {
    Key::new("shop", "product", id).unwrap()
}

const PROCESSES: u32 = 4;
const ROUNDS: u32 = 50;
const RECORDS: u32 = 5;

#[tokio::test]
async fn four_processes_on_one_file_lose_no_update_and_never_find_it_locked() {
    if let Some(file) = told() {
        let store = SqliteOptions::file(file).open().await.unwrap();
        for _ in 0..ROUNDS {
            for id in 0..RECORDS {
                // Not by a tracker, which would try again.
                let outcome = store.apply(&key(id), &rules::updated()).await.unwrap();
                assert!(outcome.is_applied());
            }
            let source = key(0).source;
            assert_eq!(store.statistics(&source).await.unwrap().counts.total(), u64::from(RECORDS));
        }
        return;
    }
    let scratch = Scratch::new("four_processes");
    let store = SqliteOptions::file(scratch.path()).open().await.unwrap();
    for id in 0..RECORDS {
        let _ = store.apply(&key(id), &rules::created()).await.unwrap();
    }
    let test = "four_processes_on_one_file_lose_no_update_and_never_find_it_locked";
    let children: Vec<_> = (0..PROCESSES).map(|_| start(test, scratch.path())).collect();
    children.into_iter().for_each(succeeds);
    for id in 0..RECORDS {
        let record = store.get(&key(id)).await.unwrap().unwrap();
        assert_eq!(record.revision.get(), u64::from(1 + PROCESSES * ROUNDS));
    }
    assert_eq!(store.verify().await.unwrap(), []);
}

#[tokio::test]
async fn sixteen_processes_that_begin_at_once_make_the_tables_once() {
    if let Some(file) = told() {
        let store = SqliteOptions::file(file).open().await.unwrap();
        let Outcome::Applied(_) = store.apply(&key(1), &rules::updated()).await.unwrap() else {
            panic!("it is applied")
        };
        return;
    }
    let scratch = Scratch::new("sixteen_processes");
    let test = "sixteen_processes_that_begin_at_once_make_the_tables_once";
    let children: Vec<_> = (0..16).map(|_| start(test, scratch.path())).collect();
    children.into_iter().for_each(succeeds);
    let store = SqliteOptions::file(scratch.path()).open().await.unwrap();
    assert_eq!(store.get(&key(1)).await.unwrap().unwrap().revision.get(), 16);
    assert_eq!(store.verify().await.unwrap(), []);
}

#[tokio::test]
async fn a_process_killed_while_it_makes_the_tables_leaves_nothing_half_done() {
    if let Some(file) = told() {
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        query("PRAGMA journal_mode = WAL").execute(&mut connection).await.unwrap();
        // Small enough a cache that the tables are written before the commit that never comes.
        query("PRAGMA cache_size = 1").execute(&mut connection).await.unwrap();
        query("BEGIN IMMEDIATE").execute(&mut connection).await.unwrap();
        let tables = include_str!("../src/sql/schema_1_0.sql");
        raw_sql(tables).execute(&mut connection).await.unwrap();
        println!("half-way");
        thread::sleep(Duration::from_secs(60));
        return;
    }
    let scratch = Scratch::new("killed_while_migrating");
    let test = "a_process_killed_while_it_makes_the_tables_leaves_nothing_half_done";
    let mut child = start(test, scratch.path());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("half-way")));
    child.kill().unwrap();
    child.wait().unwrap();
    let store = SqliteOptions::file(scratch.path()).open().await.unwrap();
    assert!(store.apply(&key(1), &rules::created()).await.unwrap().is_applied());
    assert_eq!(store.verify().await.unwrap(), []);
}

#[tokio::test]
async fn processes_killed_at_any_moment_of_their_opening_keep_nobody_from_opening() {
    if let Some(file) = told() {
        let store = SqliteOptions::file(file).open().await.unwrap();
        let _ = store.apply(&key(1), &rules::updated()).await.unwrap();
        println!("done");
        return;
    }
    let test = "processes_killed_at_any_moment_of_their_opening_keep_nobody_from_opening";
    for millis in 0..20 {
        let scratch = Scratch::new(&format!("killed_while_opening_{millis}"));
        let mut child = start(test, scratch.path());
        thread::sleep(Duration::from_millis(millis * 2));
        // It may be done by now.
        let _ = child.kill();
        child.wait().unwrap();
        let store = SqliteOptions::file(scratch.path()).open().await.unwrap();
        assert!(store.apply(&key(2), &rules::created()).await.unwrap().is_applied());
        assert_eq!(store.verify().await.unwrap(), []);
    }
}
