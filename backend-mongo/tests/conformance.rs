//! The store passes the suite on a real replica set.

#[path = "mongo/mod.rs"]
mod mongo;

mod direct {
    sync_tracker_conformance::suite!(
        super::mongo::direct,
        #[ignore = "needs SYNC_TRACKER_MONGO_URL"]
    );
}
