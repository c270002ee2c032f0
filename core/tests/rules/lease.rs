//! What the holder of a lease may do besides succeeding and failing.

use sync_tracker_core::rules::{release, renew};
use sync_tracker_core::{Change, Refusal, SyncRecord, Token};

use super::full_record::{NOW, at, full, revision, span};
use super::{clean, does, live, refused, unknown, unleased};

pub(super) fn token() -> Token {
    Token::new(5).unwrap()
}

/// Deleted while a create ran that certainly left nothing.
pub(super) fn never_created() -> SyncRecord {
    SyncRecord { in_doubt: false, ..unknown(full()) }
}

/// What ends without a trace in the remote, after the entity was deleted.
pub(super) fn nothing_left(record: &mut SyncRecord) {
    record.synced_revision = revision(9);
    record.pending_since = None;
    record.attempts = 0;
    record.held = None;
    record.failure = None;
    record.retry_at = None;
    record.lease = None;
}

/// Records that miss one condition of those of `never_created`.
pub(super) fn to_be_pushed() -> [SyncRecord; 3] {
    [
        SyncRecord { deleted_at: None, ..never_created() },
        SyncRecord { external_id: full().external_id, ..never_created() },
        SyncRecord { in_doubt: true, ..never_created() },
    ]
}

/// Asserts that only the holder of the lease is heard.
#[track_caller]
pub(super) fn is_for_the_holder(change: impl Fn(Token) -> Change) {
    for other in [4, 6] {
        refused(&change(Token::new(other).unwrap()), Some(&live()), &Refusal::LeaseLost);
    }
    for record in [full(), live(), never_created()] {
        refused(&change(token()), Some(&unleased(record)), &Refusal::LeaseLost);
    }
    refused(&change(token()), None, &Refusal::LeaseLost);
}

#[test]
fn a_renewed_lease_runs_from_now() {
    does(&renew(token(), span(5)), &full(), 0, |record| {
        record.lease.as_mut().unwrap().until = at(NOW + 5);
    });
    is_for_the_holder(|token| renew(token, span(5)));
}

#[test]
fn a_release_gives_the_attempt_back() {
    does(&release(token()), &never_created(), 0, nothing_left);
    does(&release(token()), &clean(full()), 1, nothing_left);
    for record in to_be_pushed() {
        does(&release(token()), &record, 2, |record| {
            record.attempts = 1;
            record.lease = None;
        });
    }
    is_for_the_holder(release);
}
