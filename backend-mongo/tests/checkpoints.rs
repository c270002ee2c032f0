//! The store passes the suite of checkpoints.

#[path = "mongo/mod.rs"]
mod mongo;

mod direct {
    sync_tracker_conformance::checkpoint_suite!(
        super::mongo::direct,
        #[ignore = "needs SYNC_TRACKER_MONGO_URL"]
    );
}
