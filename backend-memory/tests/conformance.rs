//! The memory store passes the suite.

use sync_tracker_conformance::Setup;
use sync_tracker_memory::MemoryStore;

async fn store(setup: Setup) -> MemoryStore {
    MemoryStore::with_clock(setup.clock)
}

sync_tracker_conformance::suite!(store);
