//! The store passes the suite of an inbox.

#[path = "mongo/mod.rs"]
mod mongo;

mod direct {
    sync_tracker_conformance::inbox_suite!(
        super::mongo::direct,
        #[ignore = "needs SYNC_TRACKER_MONGO_URL"]
    );
}
