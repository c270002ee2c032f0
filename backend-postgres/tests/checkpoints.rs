//! The store passes the suite of checkpoints, itself and by its records.

#[path = "postgres/mod.rs"]
mod postgres;

use sync_tracker_conformance::{Guarded, Setup};
use sync_tracker_core::OverRecords;
use sync_tracker_postgres::PostgresStore;

use self::postgres::OwnSchema;

mod direct {
    sync_tracker_conformance::checkpoint_suite!(
        super::postgres::direct,
        #[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
    );
}

mod hostile_role {
    sync_tracker_conformance::checkpoint_suite!(
        super::postgres::hostile_role,
        #[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
    );
}

async fn over_records(setup: Setup) -> Guarded<OverRecords<PostgresStore>, OwnSchema> {
    let Guarded { store, guard } = postgres::direct(setup).await;
    Guarded { store: OverRecords::new(store), guard }
}

mod by_records {
    sync_tracker_conformance::checkpoint_suite!(
        super::over_records,
        #[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
    );
}
