//! The store passes the suite on a real server, however the role is set up and the server is reached.

#[path = "postgres/mod.rs"]
mod postgres;

mod direct {
    sync_tracker_conformance::suite!(
        super::postgres::direct,
        #[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
    );
}

mod hostile_role {
    sync_tracker_conformance::suite!(
        super::postgres::hostile_role,
        #[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
    );
}

mod behind_pooler {
    sync_tracker_conformance::suite!(
        super::postgres::behind_pooler,
        #[ignore = "needs SYNC_TRACKER_PGBOUNCER_URL"]
    );
}

mod partitioned {
    sync_tracker_conformance::suite!(
        super::postgres::partitioned,
        #[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
    );
}

mod on_a_pool {
    sync_tracker_conformance::suite!(
        super::postgres::on_a_pool,
        #[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
    );
}

mod grouped {
    sync_tracker_conformance::suite!(
        super::postgres::grouped,
        #[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
    );
}
