//! Failure, with a lease and without.

use std::time::Duration;

use sync_tracker_core::rules::{RetrySchedule, fail, mark_failed};
use sync_tracker_core::{
    Change, FailureClass, FailureNote, Held, HeldKind, Millis, Refusal, SyncRecord, Token,
};

use super::full_record::{NOW, at, full, now, revision, span};
use super::lease::{is_for_the_holder, never_created, nothing_left, to_be_pushed, token};
use super::{clean, does, live, makes, refused};

use FailureClass::{Permanent, Throttled, Transient, Unknown};

const CLASSES: [FailureClass; 4] = [Transient, Throttled, Permanent, Unknown];

fn schedule() -> RetrySchedule {
    RetrySchedule::steps([10, 20, 30].map(Duration::from_millis)).unwrap()
}

fn leased(token: Token, class: FailureClass, retry_after: Option<Millis>) -> Change {
    fail(token, &FailureNote::new(class, "why"), &schedule(), retry_after)
}

fn unleased(class: FailureClass, retry_after: Option<Millis>) -> Change {
    mark_failed(&FailureNote::new(class, "why"), &schedule(), retry_after)
}

fn retry_in(record: &mut SyncRecord, millis: i64) {
    record.retry_at = Some(at(NOW + millis));
}

fn dead(record: &mut SyncRecord) {
    record.held = Some(Held { kind: HeldKind::Dead, since: now() });
    record.retry_at = None;
}

fn noted(record: &mut SyncRecord, class: FailureClass) {
    let failure = record.failure.as_mut().unwrap();
    failure.class = class;
    failure.message = "why".into();
    failure.last_at = now();
}

#[test]
fn a_push_that_failed_is_retried_as_its_class_says() {
    let fails = |class, retry_after, expected: fn(&mut SyncRecord)| {
        let arm = if class == Unknown { 1 } else { 2 };
        for record in [full(), live(), clean(live())] {
            does(&leased(token(), class, retry_after), &record, arm, |record| {
                noted(record, class);
                record.lease = None;
                expected(record);
            });
        }
    };
    let asked = Some(span(25));
    fails(Transient, None, |record| retry_in(record, 20));
    fails(Transient, asked, |record| retry_in(record, 25));
    fails(Unknown, None, |record| retry_in(record, 20));
    fails(Permanent, None, dead);
    fails(Throttled, None, |record| {
        record.attempts = 1;
        retry_in(record, 10);
    });
    fails(Throttled, asked, |record| {
        record.attempts = 1;
        retry_in(record, 25);
    });
    for class in CLASSES {
        is_for_the_holder(|token| leased(token, class, None));
    }
}

#[test]
fn a_create_that_failed_for_certain_leaves_nothing_of_what_was_deleted() {
    for class in [Transient, Throttled, Permanent] {
        does(&leased(token(), class, None), &never_created(), 0, nothing_left);
        for record in to_be_pushed() {
            let outcome = leased(token(), class, None).apply_to(&record.key, Some(&record), now());
            assert_eq!(outcome.record().unwrap().last_arm, 2);
        }
    }
}

#[test]
fn a_push_that_failed_for_certain_is_not_retried_once_the_object_is_deleted_on_both_sides() {
    for class in [Transient, Throttled, Permanent] {
        does(&leased(token(), class, None), &clean(full()), 1, nothing_left);
    }
    does(&leased(token(), Unknown, None), &clean(full()), 1, |record| {
        noted(record, Unknown);
        record.lease = None;
        retry_in(record, 20);
    });
}

#[test]
fn a_create_whose_outcome_is_unknown_is_in_doubt() {
    does(&leased(token(), Unknown, None), &never_created(), 0, |record| {
        noted(record, Unknown);
        record.lease = None;
        record.in_doubt = true;
        retry_in(record, 20);
    });
    let create = SyncRecord { deleted_at: None, ..never_created() };
    does(&unleased(Unknown, None), &create, 2, |record| {
        noted(record, Unknown);
        record.attempts = 3;
        record.in_doubt = true;
        retry_in(record, 30);
    });
    let update = SyncRecord { in_doubt: false, ..live() };
    does(&unleased(Unknown, None), &update, 3, |record| {
        noted(record, Unknown);
        record.attempts = 3;
        retry_in(record, 30);
    });
}

#[test]
fn a_failure_without_a_lease_charges_an_attempt_and_leaves_the_lease() {
    let fails = |class, attempts, expected: fn(&mut SyncRecord)| {
        let live_arm = if class == Unknown { 3 } else { 2 };
        let certain = |record| SyncRecord { in_doubt: false, ..record };
        for (record, arm) in [
            (certain(full()), 1),
            (never_created(), 1),
            (certain(live()), live_arm),
            (clean(certain(live())), live_arm),
        ] {
            does(&unleased(class, None), &record, arm, |record| {
                noted(record, class);
                record.attempts = attempts;
                expected(record);
            });
        }
        refused(&unleased(class, None), Some(&clean(full())), &Refusal::Deleted);
    };
    fails(Transient, 3, |record| retry_in(record, 30));
    fails(Unknown, 3, |record| retry_in(record, 30));
    fails(Permanent, 3, dead);
    fails(Throttled, 2, |record| retry_in(record, 10));
}

#[test]
fn a_failure_without_a_lease_makes_a_record() {
    for (class, attempts) in CLASSES.into_iter().zip([1, 0, 1, 1]) {
        let made = unleased(class, None).apply_to(&full().key, None, now());
        let failure = made.record().unwrap().failure.clone();
        assert_eq!(failure.as_ref().map(|failure| failure.class), Some(class));
        makes(&unleased(class, None), 0, |record| {
            record.revision = revision(1);
            record.pending_since = Some(now());
            record.attempts = attempts;
            record.failure = failure;
            record.in_doubt = class == Unknown;
            if class == Permanent {
                dead(record);
            } else {
                retry_in(record, 10);
            }
        });
    }
}
