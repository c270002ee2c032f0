//! The program `stores` runs through, at sizes that show nothing but that.

#![allow(clippy::unwrap_used)] // functions that are not tests themselves

use std::fs;
use std::process::Command;

use serde_json::Value;

/// Runs the program, and returns what it wrote for other programs.
fn run(store: &str, folder: &tempfile::TempDir) -> Value {
    let json = folder.path().join("results.json");
    let args = ["--quick", "--millis", "5", "--records", "1000", "--growth", "1000,2000"];
    let output = Command::new(env!("CARGO_BIN_EXE_stores"))
        .arg(store)
        .args(args)
        .args(["--callers", "1,4", "--batch", "20", "--dir"])
        .arg(folder.path())
        .arg("--json")
        .arg(&json)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&fs::read(json).unwrap()).unwrap()
}

/// Of so many workloads, each with as many entrants that did something.
fn assert_compared(results: &Value, entrants: usize) {
    let compared = results["compared"].as_array().unwrap();
    // Five operations alone by each number of callers and in batches, two of claims, two more.
    assert_eq!(compared.len(), 2 * 5 + 2 + 2 + 5);
    for workload in compared {
        let of = workload["entrants"].as_array().unwrap();
        assert_eq!(of.len(), entrants, "{workload}");
        // Claims of MongoDB are not sent by hand.
        let absent = |it: &Value| it["name"] == "same commands" && workload["operation"] == "Claim";
        let some = |it: &Value| it["records_per_second"].as_f64() > Some(0.0) || absent(it);
        assert!(of.iter().all(some), "{workload}");
        assert_eq!(workload["ratios"].as_array().unwrap().len(), entrants - 1);
    }
    let grown = results["growth"]["calls"].as_array().unwrap();
    assert_eq!(grown.len(), 5 * entrants);
    let absent = |it: &Value| {
        let operation = it["operation"].as_str().unwrap_or_default();
        it["entrant"] == "same commands" && operation.starts_with("claim")
    };
    assert!(grown.iter().all(|it| it["growth"]["median"].as_f64() > Some(0.0) || absent(it)));
}

/// The bytes of this part are told, and of all of each entrant.
fn assert_named(results: &Value, part: &str) {
    let bytes = results["growth"]["bytes_per_record"].as_array().unwrap();
    for part in [part, "ours: all", "least upsert: all"] {
        assert!(bytes.iter().any(|it| it["part"] == *part), "{part}");
    }
}

#[test]
fn the_memory_store_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    assert_compared(&run("memory", &folder), 1);
}

#[test]
fn the_sqlite_store_is_measured_beside_code_by_hand_and_its_bytes_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let results = run("sqlite", &folder);
    assert_compared(&results, 3);
    assert_named(&results, "ours: sync_records");
}

#[test]
#[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
fn the_postgres_store_is_measured_beside_code_by_hand_and_its_bytes_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let results = run("postgres", &folder);
    assert_compared(&results, 3);
    assert_named(&results, "ours: records");
}

#[test]
#[ignore = "needs SYNC_TRACKER_MONGO_URL"]
fn the_mongo_store_is_measured_beside_code_by_hand_and_its_bytes_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let results = run("mongo", &folder);
    assert_compared(&results, 3);
    assert_named(&results, "ours: records");
}

#[test]
#[ignore = "needs SYNC_TRACKER_REDIS_URL"]
fn the_redis_store_is_measured_beside_code_by_hand_and_its_bytes_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let results = run("redis", &folder);
    // The fourth does nothing but round trips.
    assert_compared(&results, 4);
    assert_named(&results, "ours: {shop}:r");
}
