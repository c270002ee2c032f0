//! The store passes the suite of an inbox by its records.

#[path = "mongo/mod.rs"]
mod mongo;

use sync_tracker_conformance::{Guarded, Setup};
use sync_tracker_core::OverRecords;
use sync_tracker_mongo::MongoStore;

use self::mongo::OwnDatabase;

async fn over_records(setup: Setup) -> Guarded<OverRecords<MongoStore>, OwnDatabase> {
    let Guarded { store, guard } = mongo::direct(setup).await;
    Guarded { store: OverRecords::new(store), guard }
}

mod by_records {
    sync_tracker_conformance::inbox_suite!(
        super::over_records,
        #[ignore = "needs SYNC_TRACKER_MONGO_URL"]
    );
}
