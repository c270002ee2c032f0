//! The memory store passes the suite of checkpoints, itself and by its records.

use sync_tracker_conformance::Setup;
use sync_tracker_core::OverRecords;
use sync_tracker_memory::MemoryStore;

async fn store(setup: Setup) -> MemoryStore {
    MemoryStore::with_clock(setup.clock)
}

sync_tracker_conformance::checkpoint_suite!(store);

mod over_records {
    use super::*;

    async fn over_records(setup: Setup) -> OverRecords<MemoryStore> {
        OverRecords::new(store(setup).await)
    }

    sync_tracker_conformance::checkpoint_suite!(over_records);
}
