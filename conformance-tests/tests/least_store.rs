//! The least that a store has to bring passes the suite: six methods over the reference ledger
//! under a lock, and its clock. So the default methods are correct, and so are the layers around a store.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sync_tracker_conformance::Setup;
use sync_tracker_core::layers::{Deadline, Retry};
use sync_tracker_core::{
    Change, Cursor, EntityType, ExternalId, Filter, Guard, Imported, Key, Ledger, Outcome, Page,
    PageSize, Removal, Result, Source, StoreClock, SyncRecord, SyncStore, Timestamp,
};

#[derive(Debug)]
struct LeastStore {
    ledger: Mutex<Ledger>,
    clock: StoreClock,
}

impl LeastStore {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.clock.explicit_now().unwrap_or_else(Timestamp::now)
    }
}

#[async_trait::async_trait]
impl SyncStore for LeastStore {
    async fn apply(&self, key: &Key, change: &Change) -> Result<Outcome> {
        Ok(self.ledger().apply(key, change, self.now()))
    }

    async fn get(&self, key: &Key) -> Result<Option<SyncRecord>> {
        Ok(self.ledger().get(key).cloned())
    }

    async fn by_external_id(
        &self,
        source: &Source,
        entity_type: &EntityType,
        id: &ExternalId,
    ) -> Result<Option<SyncRecord>> {
        Ok(self.ledger().by_external_id(source, entity_type, id).cloned())
    }

    async fn list(&self, filter: &Filter, after: Option<&Cursor>, size: PageSize) -> Result<Page> {
        Ok(self.ledger().list(filter, after, size, self.now()))
    }

    async fn put(&self, record: &SyncRecord) -> Result<Imported> {
        self.ledger().put(record)
    }

    async fn now(&self) -> Result<Timestamp> {
        Ok(self.now())
    }

    async fn remove(&self, key: &Key, guard: &Guard) -> Result<Removal> {
        Ok(self.ledger().remove(key, guard, self.now()))
    }
}

async fn store(setup: Setup) -> LeastStore {
    LeastStore { ledger: Mutex::default(), clock: setup.clock }
}

sync_tracker_conformance::suite!(store);
sync_tracker_conformance::differential!(store);

/// Behind the layers that the tracker puts around every store.
mod layered {
    use super::*;

    async fn layered(setup: Setup) -> Deadline<Retry<LeastStore>> {
        Deadline::new(Retry::new(store(setup).await), Duration::from_secs(10))
    }

    sync_tracker_conformance::suite!(layered);
}

/// Behind a pointer.
mod boxed {
    use super::*;

    async fn boxed(setup: Setup) -> Box<dyn SyncStore> {
        Box::new(store(setup).await)
    }

    sync_tracker_conformance::suite!(boxed);
}

/// With an inbox and checkpoints made of its records.
mod over_records {
    use sync_tracker_core::OverRecords;

    use super::*;

    async fn over_records(setup: Setup) -> OverRecords<LeastStore> {
        OverRecords::new(store(setup).await)
    }

    mod inbox {
        use super::over_records;

        sync_tracker_conformance::inbox_suite!(over_records);
    }

    mod checkpoints {
        use super::over_records;

        sync_tracker_conformance::checkpoint_suite!(over_records);
    }

    /// Behind the layers that the high-level types put around every store, and a pointer.
    mod layered {
        use sync_tracker_core::{CheckpointStore, InboxStore};

        use super::*;

        async fn inbox(setup: Setup) -> Box<dyn InboxStore> {
            let layered = Retry::new(over_records(setup).await);
            Box::new(Deadline::new(layered, Duration::from_secs(10)))
        }

        async fn checkpoints(setup: Setup) -> Box<dyn CheckpointStore> {
            let layered = Retry::new(over_records(setup).await);
            Box::new(Deadline::new(layered, Duration::from_secs(10)))
        }

        mod inbox {
            sync_tracker_conformance::inbox_suite!(super::inbox);
        }

        mod checkpoints {
            sync_tracker_conformance::checkpoint_suite!(super::checkpoints);
        }
    }
}
