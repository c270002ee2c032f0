//! The memory store agrees with the reference, after any sequence of calls.

use sync_tracker_conformance::Setup;
use sync_tracker_memory::MemoryStore;

async fn store(setup: Setup) -> MemoryStore {
    MemoryStore::with_clock(setup.clock)
}

sync_tracker_conformance::differential!(store);
