//! What the memory store is compared with: records in a map behind a lock, and nothing else.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sync_tracker_core::{Key, SyncRecord};

/// Records by key.
#[derive(Debug, Default)]
pub(crate) struct PlainMap(Mutex<HashMap<Key, SyncRecord>>);

impl PlainMap {
    fn records(&self) -> MutexGuard<'_, HashMap<Key, SyncRecord>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, key: &Key) -> Option<SyncRecord> {
        self.records().get(key).cloned()
    }

    /// Stores a copy under a copy of the key.
    pub(crate) fn insert(&self, key: &Key, record: &SyncRecord) {
        let before = self.records().insert(key.clone(), record.clone());
        drop(before);
    }
}
