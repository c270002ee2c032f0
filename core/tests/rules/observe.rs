//! What an observation does that is news, and what it means.

use sync_tracker_core::rules::Observe;
use sync_tracker_core::{
    Change, Conflict, ConflictKind, Freshness, Observation, Outcome, Refusal, RemoteState,
    RemoteVersion, SyncRecord, Verdict, Version,
};

use super::full_record::{external_id, fingerprint, full, key, now, sequence};
use super::{clean, conflict, does, gone, in_peace, live, reborn, refused};

use RemoteState::{Deleted, Present};

pub(super) fn content(hash: &str) -> RemoteState {
    Present(Some(fingerprint(hash)))
}

pub(super) fn observe(
    record: &SyncRecord,
    version: Option<RemoteVersion>,
    state: RemoteState,
    freshness: Freshness,
) -> Observe<'_> {
    let external_id = external_id("own");
    Observe { record, observation: Observation { external_id, version, state, freshness } }
}

pub(super) fn outcome(change: &Change, record: &SyncRecord) -> Outcome {
    change.apply_to(&key(), Some(record), now())
}

/// Asserts what this state does to the record and means, as an event and as a reading, with a newer
/// version and without one.
#[track_caller]
fn means(
    record: &SyncRecord,
    state: &RemoteState,
    arm: u8,
    verdict: Verdict,
    expected: impl Fn(&mut SyncRecord, Option<RemoteVersion>),
) {
    for version in [None, Some(sequence(6))] {
        for freshness in [Freshness::Event, Freshness::read_since(record)] {
            let seen = observe(record, version.clone(), state.clone(), freshness);
            does(&seen.change(), record, arm, |record| expected(record, version.clone()));
            assert_eq!(seen.verdict(&outcome(&seen.change(), record)), Some(verdict));
        }
    }
}

/// The version is the highest that was seen.
fn seen(record: &mut SyncRecord, version: Option<RemoteVersion>) {
    record.remote_seen = version.or(record.remote_seen.take());
}

/// The version is accepted.
fn known(record: &mut SyncRecord, version: Option<RemoteVersion>) {
    seen(record, version.clone());
    record.remote_version = version.or(record.remote_version.take());
}

/// The object is there.
fn there(record: &mut SyncRecord) {
    record.remote_deleted_at = None;
    record.sighted_at = Some(now());
}

fn unnoted(record: SyncRecord) -> SyncRecord {
    SyncRecord { remote_deleted_at: None, ..record }
}

#[test]
fn an_echo_is_told_by_its_content_and_expected_no_more() {
    for record in [full(), clean(full()), live(), clean(live())] {
        means(&record, &content("a"), 0, Verdict::Echo, |record, version| {
            known(record, version);
            record.echoes = ["b", "a"].map(fingerprint).to_vec();
        });
        for version in [sequence(4), sequence(5)] {
            let late = observe(&record, Some(version), content("b"), Freshness::Event);
            does(&late.change(), &record, 0, |record| {
                record.echoes = ["a", "a"].map(fingerprint).to_vec();
            });
        }
    }
}

#[test]
fn content_is_newer_or_the_same_or_a_conflict() {
    let dirty = in_peace(live());
    let kind = ConflictKind::EditEdit;
    means(&dirty, &content("new"), 1, Verdict::Conflict(kind), |record, version| {
        there(record);
        seen(record, version);
        record.conflict = conflict(kind);
    });
    let settled = clean(dirty.clone());
    means(&settled, &content("new"), 2, Verdict::Newer, |record, version| {
        there(record);
        seen(record, version);
        record.base = None;
    });
    for record in [dirty, settled] {
        means(&record, &content("ba5e"), 3, Verdict::Same, |record, version| {
            there(record);
            known(record, version);
        });
    }
}

#[test]
fn an_object_without_content_is_newer() {
    for record in [in_peace(live()), clean(in_peace(live()))] {
        means(&record, &Present(None), 0, Verdict::Newer, |record, version| {
            there(record);
            seen(record, version);
            record.base = None;
        });
    }
}

#[test]
fn content_of_what_is_deleted_here_is_a_conflict_or_the_same_or_reappeared() {
    let dirty = in_peace(full());
    let kind = ConflictKind::DeleteEdit;
    means(&dirty, &content("new"), 1, Verdict::Conflict(kind), |record, version| {
        there(record);
        seen(record, version);
        record.conflict = conflict(kind);
    });
    means(&dirty, &content("ba5e"), 2, Verdict::Same, |record, version| {
        there(record);
        known(record, version);
    });
    for content in [content("new"), content("ba5e")] {
        means(&clean(full()), &content, 3, Verdict::Reappeared, |record, version| {
            there(record);
            seen(record, version);
        });
    }
}

#[test]
fn an_object_without_content_of_what_is_deleted_here_is_the_same_or_reappeared() {
    means(&full(), &Present(None), 0, Verdict::Same, |record, version| {
        there(record);
        known(record, version);
    });
    means(&clean(full()), &Present(None), 1, Verdict::Reappeared, |record, version| {
        there(record);
        seen(record, version);
    });
}

#[test]
fn a_deletion_is_taken_over_unless_there_is_something_to_push() {
    let kind = ConflictKind::EditDelete;
    for record in [in_peace(live()), unnoted(in_peace(live()))] {
        let deleted = record.remote_deleted_at.or(Some(now()));
        means(&record, &Deleted, 0, Verdict::Conflict(kind), |record, version| {
            seen(record, version);
            record.remote_deleted_at = deleted;
            record.conflict = conflict(kind);
        });
        means(&clean(record), &Deleted, 1, Verdict::Deleted, |record, version| {
            seen(record, version);
            record.remote_deleted_at = deleted;
            record.base = None;
        });
    }
}

#[test]
fn a_deletion_of_what_is_deleted_here_is_agreed() {
    for (record, verdict) in [
        (full(), Verdict::Same),
        (clean(full()), Verdict::Same),
        (unnoted(full()), Verdict::Same),
        // It had reappeared, and may be here again.
        (clean(unnoted(full())), Verdict::Deleted),
    ] {
        let deleted = record.remote_deleted_at.or(Some(now()));
        means(&record, &Deleted, 0, verdict, |record, version| {
            known(record, version);
            gone(record);
            record.remote_deleted_at = deleted;
        });
    }
}

#[test]
fn news_in_a_conflict_does_not_end_it() {
    let (open, kind) = (clean(live()), ConflictKind::CreateCreate);
    let open = SyncRecord {
        conflict: open.conflict.map(|conflict| Conflict { kind, ..conflict }),
        ..open
    };
    for (state, arm) in [(content("new"), 2), (Present(None), 0), (Deleted, 1)] {
        let deleted = state == Deleted;
        means(&open, &state, arm, Verdict::Conflict(kind), |record, version| {
            seen(record, version);
            record.base = None;
            if !deleted {
                there(record);
            }
        });
    }
    means(&open, &content("ba5e"), 3, Verdict::Same, |record, version| {
        there(record);
        known(record, version);
    });
}

fn states() -> [RemoteState; 4] {
    [content("ba5e"), content("new"), Present(None), Deleted]
}

/// Asserts that it has to be observed again.
#[track_caller]
fn again(observe: &Observe<'_>, record: &SyncRecord, reason: &Refusal) {
    let change = observe.change();
    refused(&change, Some(record), reason);
    assert_eq!(observe.verdict(&outcome(&change, record)), None);
}

#[test]
fn what_changed_since_the_record_was_read_is_observed_again() {
    for state in states() {
        for read in [full(), live()] {
            let other_id = external_id("other");
            let rebound = SyncRecord { external_id: Some(other_id.clone()), ..read.clone() };
            let (other_life, reason) = if read.is_deleted() {
                (live(), Refusal::NotDeleted)
            } else {
                (full(), Refusal::Deleted)
            };
            let event = observe(&read, Some(sequence(6)), state.clone(), Freshness::Event);
            again(&event, &rebound, &Refusal::NotBoundTo { actual: Some(other_id) });
            again(&event, &other_life, &reason);

            let freshness = Freshness::read_since(&read);
            let reading = observe(&read, Some(sequence(6)), state.clone(), freshness);
            again(&reading, &reborn(&read), &Refusal::StaleIncarnation);
            for number in [11, 13] {
                let version = Version::new(number).unwrap();
                let written = SyncRecord { version, ..read.clone() };
                again(&reading, &written, &Refusal::VersionMismatch);
                let event_is_agreed = read.is_deleted() && state == Deleted;
                if event_is_agreed {
                    again(&event, &reborn(&read), &Refusal::StaleIncarnation);
                    again(&event, &written, &Refusal::VersionMismatch);
                } else {
                    assert!(outcome(&event.change(), &written).is_applied());
                }
            }
        }
    }
}

#[test]
fn an_object_of_no_record_is_untracked() {
    for state in states() {
        for read in [full(), live()] {
            let seen = observe(&read, None, state.clone(), Freshness::Event);
            refused(&seen.change(), None, &Refusal::Absent);
            let outcome = seen.change().apply_to(&key(), None, now());
            assert_eq!(seen.verdict(&outcome), Some(Verdict::Untracked));
        }
    }
}

#[test]
fn a_repeat_means_the_same_until_the_record_is_written_again() {
    let read = clean(in_peace(live()));
    let seen = observe(&read, Some(sequence(6)), content("new"), Freshness::Event);
    let change = seen.change();
    let first = outcome(&change, &read);
    let repeated = outcome(&change, first.record().unwrap());
    assert_eq!(seen.verdict(&repeated), Some(Verdict::Newer));
    let written = outcome(&seen.change(), first.record().unwrap());
    let late = outcome(&change, written.record().unwrap());
    assert_eq!(seen.verdict(&late), Some(Verdict::Unordered));
}
