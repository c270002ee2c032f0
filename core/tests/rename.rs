//! Moving a record by several calls: whatever fails, nothing is lost, and a repeat completes it.

#![allow(clippy::unwrap_used)]

use sync_tracker_conformance::{Fault, FaultyStore};
use sync_tracker_core::rules::{self, MarkSynced, Success};
use sync_tracker_core::{ErrorKind, ExternalId, Guard, Key, Refusal, Renamed, SyncStore};
use sync_tracker_memory::MemoryStore;

#[tokio::test]
async fn a_move_that_is_cut_off_anywhere_is_completed_by_a_repeat() {
    let (from, to) =
        (Key::new("shop", "product", "old").unwrap(), Key::new("shop", "product", "new").unwrap());
    let id = ExternalId::new("x").unwrap();
    let mut cut_off = 0;
    for calls in 0..12 {
        for fault in [Fault::NotDone(ErrorKind::Unavailable), Fault::Done(ErrorKind::Unknown)] {
            let plan = std::iter::repeat_n(Fault::None, calls + 2).chain([fault]);
            let store = FaultyStore::planned(MemoryStore::new(), plan);
            let success = Success { external_id: Some(id.clone()), ..Success::default() };
            let _ = store.apply(&from, &MarkSynced { success }.change()).await.unwrap();
            let record = store.apply(&from, &rules::updated()).await.unwrap();
            let record = record.record().unwrap().clone();

            let first = store.rename(&from, &to).await;
            let moved_before = first.is_ok();
            store.plan([]);
            cut_off += usize::from(!moved_before);
            let repeated = store.rename(&from, &to).await.unwrap();
            if moved_before {
                assert_eq!((first.unwrap(), repeated), (Renamed::Moved, Renamed::Absent));
            } else if repeated != Renamed::Moved {
                // Only the very last reply was lost.
                assert_eq!(repeated, Renamed::Absent);
            }
            assert_eq!(store.get(&from).await.unwrap(), None);
            assert_eq!(store.get(&to).await.unwrap(), Some(record.renamed(&to)));
            let found = store.by_external_id(&to.source, &to.entity.entity_type, &id).await;
            assert_eq!(found.unwrap().map(|found| found.key), Some(to.clone()));
            assert_eq!(store.verify().await.unwrap(), []);
        }
    }
    assert!(cut_off >= 12, "{cut_off} moves were cut off");
}

#[tokio::test]
async fn a_record_that_changes_while_it_is_moved_is_moved_as_it_is_then() {
    let (from, to) =
        (Key::new("shop", "product", "old").unwrap(), Key::new("shop", "product", "new").unwrap());
    let store = FaultyStore::planned(MemoryStore::new(), []);
    let _ = store.apply(&from, &rules::created()).await.unwrap();
    // Cut off after the stash, then changed, then moved.
    let before_removal = 3;
    let cut = [Fault::NotDone(ErrorKind::Unavailable)];
    store.plan(std::iter::repeat_n(Fault::None, before_removal).chain(cut));
    assert!(store.rename(&from, &to).await.is_err());
    assert!(store.get(&from).await.unwrap().is_some() && store.get(&to).await.unwrap().is_some());
    let changed = store.apply(&from, &rules::updated()).await.unwrap();
    assert_eq!(store.rename(&from, &to).await.unwrap(), Renamed::Moved);
    let moved = store.get(&to).await.unwrap().unwrap();
    assert_eq!(moved.revision, changed.record().unwrap().revision);
    let removed = store.remove(&to, &Guard { exists: Some(false), ..Guard::default() }).await;
    assert_eq!(removed.unwrap(), sync_tracker_core::Removal::Refused(Refusal::AlreadyExists));
}
