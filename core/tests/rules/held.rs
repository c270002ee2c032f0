//! Taking records out of the queue, and putting them back.

use sync_tracker_core::rules::{dismiss, not_there, redrive};
use sync_tracker_core::{Demand, Held, HeldKind, Refusal, SyncRecord};

use super::full_record::{full, now, revision};
use super::{clean, does, live, refused, unknown, unleased};

fn back(record: &mut SyncRecord) {
    record.attempts = 0;
    record.held = None;
    record.retry_at = None;
}

#[test]
fn what_is_put_back_has_something_to_push() {
    does(&redrive(), &clean(live()), 0, |record| {
        back(record);
        record.revision = revision(10);
        record.pending_since = Some(now());
    });
    does(&redrive(), &live(), 1, back);
    refused(&redrive(), Some(&SyncRecord { held: None, ..live() }), &Refusal::NotHeld);
    refused(&redrive(), None, &Refusal::Absent);
}

#[test]
fn anything_but_a_tombstone_can_be_dismissed() {
    for (record, arm) in [(full(), 0), (live(), 1), (clean(live()), 1)] {
        let record = SyncRecord { held: None, ..record };
        does(&dismiss(), &record, arm, |record| {
            record.held = Some(Held { kind: HeldKind::Dismissed, since: now() });
            record.retry_at = None;
        });
    }
    refused(&dismiss(), Some(&clean(full())), &Refusal::Deleted);
    refused(&dismiss(), None, &Refusal::Absent);
}

#[test]
fn a_doubt_that_is_settled_leaves_nothing_to_push_of_what_was_deleted() {
    let doubtful = unleased(unknown(full()));
    does(&not_there(), &doubtful, 0, |record| {
        back(record);
        record.in_doubt = false;
        record.synced_revision = revision(9);
        record.pending_since = None;
    });
    for record in [
        SyncRecord { deleted_at: None, ..doubtful.clone() },
        SyncRecord { external_id: full().external_id, ..doubtful.clone() },
        SyncRecord { lease: full().lease, ..doubtful },
    ] {
        does(&not_there(), &record, 1, |record| record.in_doubt = false);
    }
    let unmet = Refusal::Unmet { demand: Demand::InDoubt };
    refused(&not_there(), Some(&SyncRecord { in_doubt: false, ..full() }), &unmet);
    refused(&not_there(), None, &Refusal::Absent);
}
