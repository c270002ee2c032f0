//! The SQLite store passes the suite of an inbox, itself and by its records.

mod stores;

use sync_tracker_conformance::{Guarded, Setup};
use sync_tracker_core::OverRecords;
use sync_tracker_sqlite::SqliteStore;

mod file {
    sync_tracker_conformance::inbox_suite!(super::stores::file);
}

mod memory {
    sync_tracker_conformance::inbox_suite!(super::stores::memory);
}

mod over_records {
    use super::*;

    async fn over_records(setup: Setup) -> Guarded<OverRecords<SqliteStore>, stores::Scratch> {
        let Guarded { store, guard } = stores::file(setup).await;
        Guarded { store: OverRecords::new(store), guard }
    }

    sync_tracker_conformance::inbox_suite!(over_records);
}
