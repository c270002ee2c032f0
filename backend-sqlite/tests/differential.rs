//! The SQLite store agrees with the reference, after any sequence of calls.

mod stores;

sync_tracker_conformance::differential!(stores::hasty_file);
