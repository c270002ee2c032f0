//! The catalog-sync application, as a person runs it.

#![allow(clippy::expect_used)]

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

/// Without anything that lasts.
fn run(args: &[&str]) -> Output {
    let memory = ["--store", "memory:"];
    command().args(memory).args(args).output().expect("it runs")
}

fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_catalog-sync"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// The number in a row of the table.
fn count(output: &Output, row: &str) -> u64 {
    let table = text(&output.stdout);
    let line = table.lines().find(|line| line.contains(row));
    let cells: Vec<_> = line.expect("the row is there").split('┆').collect();
    cells[1].trim().parse().expect("a number")
}

fn file(name: &str, content: &str) -> PathBuf {
    let path = env::temp_dir().join(format!("catalog-sync-{}-{name}", std::process::id()));
    fs::write(&path, content).expect("written");
    path
}

#[test]
fn with_a_look_before_a_doubtful_create_nothing_is_there_twice() {
    let output = run(&[]);
    let stdout = text(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", text(&output.stderr));
    assert_eq!(count(&output, "duplicates"), 0);
    assert_eq!((count(&output, "synced"), count(&output, "dead")), (11, 1));
    assert!(count(&output, "retried") > 0);
    // Which product the shop refuses depends on which comes tenth.
    let line = |start| stdout.lines().find_map(|line: &str| line.strip_prefix(start)).expect(start);
    assert_eq!(line("pushed again: "), line("changed: "));
    assert_eq!(line("changed: ").split(", ").count(), 2);
    assert!(text(&output.stderr).contains("pushing: 12 of 12\n"), "plain lines of progress");
}

#[test]
fn without_the_look_lost_replies_make_duplicates() {
    let output = run(&["--no-look-before-create"]);
    assert!(output.status.success());
    assert!(count(&output, "duplicates") > 0);
}

#[test]
fn a_good_shop_gets_every_product_once() {
    let none = "--throttle 0 --error 0 --invalid 0 --lost-reply 0 --slow 0";
    let output = run(&none.split(' ').collect::<Vec<_>>());
    assert!(output.status.success());
    assert_eq!((count(&output, "synced"), count(&output, "failed")), (12, 0));
    assert!(text(&output.stdout).contains("12 creates and 0 updates of 12 requests"));
}

#[test]
fn a_catalogue_of_one_product_is_enough_to_lose_a_reply() {
    let path = file("one.csv", "Handle,Title,Variant Price\nmug,Mug,1\n");
    let path = path.to_str().expect("UTF-8");
    assert_eq!(count(&run(&[path]), "duplicates"), 0);
    assert!(count(&run(&[path, "--no-look-before-create"]), "duplicates") > 0);
    fs::remove_file(path).expect("removed");
}

#[test]
fn a_bad_row_is_named_with_its_line() {
    let path = file("bad.csv", "Handle,Title,Variant Price\nmug,\"Two\nlines\",1\njug,Jug,much\n");
    let output = run(&[path.to_str().expect("UTF-8")]);
    let stderr = text(&output.stderr);
    assert!(!output.status.success());
    let problem = "line 4: \"Variant Price\" is \"much\", expected a price such as 1234.50\n";
    assert!(stderr.starts_with("catalog-sync: ") && stderr.ends_with(problem), "{stderr}");
    fs::remove_file(path).expect("removed");
}

#[test]
fn a_missing_file_and_a_bad_option_are_told() {
    let output = run(&["no-such-file.csv"]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).starts_with("catalog-sync: no-such-file.csv: "));
    let output = run(&["--lost-reply", "1"]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("expected a rate from 0 to 0.9"));
    assert!(text(&run(&["--help"]).stdout).contains("--no-look-before-create"));
}

#[test]
fn killed_in_the_middle_and_started_again_it_goes_on_where_it_was() {
    let folder = env::temp_dir().join(format!("catalog-sync-{}-killed", std::process::id()));
    fs::create_dir(&folder).expect("made");
    let changes = || fs::read_to_string(folder.join("catalog-sync.shop.jsonl")).unwrap_or_default();
    let slow = "--slow 0.9 --slow-by 200 --invalid 0 --lease 1000".split(' ').collect::<Vec<_>>();
    let command = || {
        let mut command = command();
        command.current_dir(&folder).args(&slow).stdout(Stdio::piped()).stderr(Stdio::null());
        command
    };
    let mut killed = command().spawn().expect("it runs");
    while changes().lines().count() < 5 {
        thread::sleep(Duration::from_millis(1));
    }
    killed.kill().expect("killed");
    killed.wait().expect("gone");
    let before = changes();

    let output = command().output().expect("it runs");
    let stdout = text(&output.stdout);
    assert!(output.status.success(), "{stdout}");
    assert!(stdout.contains("the ledger: 0 new, 0 changed, 0 given up, 12 known"), "{stdout}");
    assert_eq!(count(&output, "duplicates"), 0);
    assert_eq!(count(&output, "synced"), 12);
    assert!(changes().starts_with(&before), "the shop has forgotten what it did");

    // Nothing is left to do but what the last run changed, which is not so in the file.
    let stdout = text(&command().output().expect("it runs").stdout);
    assert!(stdout.contains("0 new, 2 changed,"), "{stdout}");
    fs::remove_dir_all(folder).expect("removed");
}
