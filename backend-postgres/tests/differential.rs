//! The store agrees with the reference, after any sequence of calls.

#[path = "postgres/mod.rs"]
mod postgres;

mod direct {
    sync_tracker_conformance::differential!(
        super::postgres::direct,
        #[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
    );
}

mod hostile_role {
    sync_tracker_conformance::differential!(
        super::postgres::hostile_role,
        #[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
    );
}
