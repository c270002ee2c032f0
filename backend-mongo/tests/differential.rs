//! The store agrees with the reference, after any sequence of calls.

#[path = "mongo/mod.rs"]
mod mongo;

mod direct {
    sync_tracker_conformance::differential!(
        super::mongo::direct,
        #[ignore = "needs SYNC_TRACKER_MONGO_URL"]
    );
}
