//! The store passes the suite on one server and on a cluster, and with few rights.

#[path = "servers/mod.rs"]
mod servers;

mod single {
    sync_tracker_conformance::suite!(
        super::servers::single,
        #[ignore = "needs SYNC_TRACKER_REDIS_URL"]
    );
}

mod cluster {
    sync_tracker_conformance::suite!(
        super::servers::cluster,
        #[ignore = "needs SYNC_TRACKER_REDIS_CLUSTER_URLS"]
    );
}

mod limited {
    sync_tracker_conformance::suite!(
        super::servers::limited,
        #[ignore = "needs SYNC_TRACKER_REDIS_URL"]
    );
}
