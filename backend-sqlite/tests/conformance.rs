//! The SQLite store passes the suite, in a file and in memory.

mod stores;

mod file {
    sync_tracker_conformance::suite!(super::stores::file);
}

mod memory {
    sync_tracker_conformance::suite!(super::stores::memory);
}
