//! The store agrees with the reference after any sequence of calls, on one server and on a cluster.

#[path = "servers/mod.rs"]
mod servers;

mod single {
    sync_tracker_conformance::differential!(
        super::servers::single,
        #[ignore = "needs SYNC_TRACKER_REDIS_URL"]
    );
}

mod cluster {
    sync_tracker_conformance::differential!(
        super::servers::cluster,
        #[ignore = "needs SYNC_TRACKER_REDIS_CLUSTER_URLS"]
    );
}
