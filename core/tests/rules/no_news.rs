//! What an observation means that is no news.

use sync_tracker_core::{
    Fingerprint, Freshness, NotNewer, Refusal, RemoteState, RemoteVersion, SyncRecord, Verdict,
};

use super::full_record::{fingerprint, full, now, sequence};
use super::observe::{content, observe, outcome};
use super::{in_peace, live, refused};

use RemoteState::{Deleted, Present};
use Verdict::{Same, Stale, Unordered};

/// Asserts that an event with this version changes nothing, and what it means.
#[track_caller]
fn is_no_news(
    record: &SyncRecord,
    version: &RemoteVersion,
    state: RemoteState,
    why: NotNewer,
    verdict: Verdict,
) {
    let seen = observe(record, Some(version.clone()), state, Freshness::Event);
    let change = seen.change();
    refused(&change, Some(record), &Refusal::NotNewer { why });
    assert_eq!(seen.verdict(&outcome(&change, record)), Some(verdict));
}

fn there(record: SyncRecord) -> SyncRecord {
    SyncRecord { remote_deleted_at: None, ..in_peace(record) }
}

fn gone(record: SyncRecord) -> SyncRecord {
    SyncRecord { remote_deleted_at: Some(now()), ..in_peace(record) }
}

fn other_tag() -> RemoteState {
    Present(Some(Fingerprint::new("blake3:ba5e").unwrap()))
}

#[test]
fn the_accepted_version_with_what_is_known_is_the_same() {
    for record in [live(), full()] {
        let is = |record: &SyncRecord, state, verdict| {
            is_no_news(record, &sequence(5), state, NotNewer::Same, verdict);
        };
        let there = there(record.clone());
        is(&there, content("ba5e"), Same);
        is(&there, content("new"), Unordered);
        is(&there, other_tag(), Same);
        is(&there, Present(None), Same);
        is(&there, Deleted, Unordered);
        is(&SyncRecord { base: None, ..there }, content("new"), Same);

        let gone = gone(record);
        is(&gone, content("ba5e"), Unordered);
        is(&gone, content("new"), Unordered);
        is(&gone, other_tag(), Unordered);
        is(&gone, Present(None), Unordered);
        is(&gone, Deleted, Same);
    }
}

#[test]
fn of_versions_without_order_only_the_content_tells() {
    let is = |record: &SyncRecord, state, verdict| {
        let tag = RemoteVersion::opaque("tag").unwrap();
        is_no_news(record, &tag, state, NotNewer::Unordered, verdict);
    };
    is(&there(live()), content("ba5e"), Same);
    for (record, state) in [
        (there(live()), content("new")),
        (there(live()), other_tag()),
        (there(live()), Present(None)),
        (there(live()), Deleted),
        (there(full()), content("ba5e")),
        (there(full()), content("new")),
        (gone(live()), content("ba5e")),
        (gone(live()), Deleted),
        (gone(full()), Deleted),
        (SyncRecord { base: None, ..there(live()) }, content("new")),
    ] {
        is(&record, state, Unordered);
    }
}

#[test]
fn a_version_older_than_one_that_is_known_is_stale() {
    let tag = RemoteVersion::opaque("tag").unwrap();
    for record in [there(live()), there(full()), gone(live()), gone(full())] {
        for state in [content("ba5e"), content("new"), Present(None), Deleted] {
            let state = || state.clone();
            is_no_news(&record, &sequence(4), state(), NotNewer::Stale, Stale);
            let ahead = SyncRecord { remote_seen: Some(sequence(7)), ..record.clone() };
            is_no_news(&ahead, &sequence(6), state(), NotNewer::Stale, Stale);
            is_no_news(&ahead, &sequence(5), state(), NotNewer::Same, Stale);
            let tagged = SyncRecord { remote_version: Some(tag.clone()), ..record.clone() };
            is_no_news(&tagged, &sequence(4), state(), NotNewer::Unordered, Stale);
        }
    }
}

#[test]
fn only_an_ordered_version_is_older() {
    let is_older = |record: &SyncRecord, version| {
        observe(record, version, Deleted, Freshness::Event).is_older_than(record)
    };
    let tag = RemoteVersion::opaque("tag").ok();
    for (version, expected) in [
        (None, false),
        (tag, false),
        (Some(sequence(4)), true),
        (Some(sequence(5)), false),
        (Some(sequence(6)), false),
    ] {
        for record in [
            full(),
            SyncRecord { remote_seen: None, ..full() },
            SyncRecord { remote_version: None, ..full() },
        ] {
            assert_eq!(is_older(&record, version.clone()), expected, "{version:?}");
        }
        let unknown = SyncRecord { remote_seen: None, remote_version: None, ..full() };
        assert!(!is_older(&unknown, version));
    }
}

#[test]
fn no_news_leaves_the_base_that_it_was_compared_with() {
    let record = SyncRecord { base: Some(fingerprint("new")), ..there(live()) };
    is_no_news(&record, &sequence(5), content("new"), NotNewer::Same, Same);
    is_no_news(&record, &sequence(5), content("ba5e"), NotNewer::Same, Unordered);
}
