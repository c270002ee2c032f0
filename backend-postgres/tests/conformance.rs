//! The store passes the suite on a real server, however the role is set up.

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
