//! The store passes the suites on a server that belongs to no replica set, for development, and says
//! what it lacks there.

#![allow(clippy::unwrap_used)] // what tests call is part of them

#[path = "mongo/mod.rs"]
mod mongo;

use sync_tracker_core::{ErrorKind, Key, Survival, SyncStore, TransactionalStore, rules};
use sync_tracker_mongo::MongoOptions;

use self::mongo::{OwnDatabase, standalone_url};

mod records {
    sync_tracker_conformance::suite!(
        super::mongo::standalone,
        #[ignore = "needs SYNC_TRACKER_MONGO_STANDALONE_URL"]
    );
}

mod inbox {
    sync_tracker_conformance::inbox_suite!(
        super::mongo::standalone,
        #[ignore = "needs SYNC_TRACKER_MONGO_STANDALONE_URL"]
    );
}

mod checkpoints {
    sync_tracker_conformance::checkpoint_suite!(
        super::mongo::standalone,
        #[ignore = "needs SYNC_TRACKER_MONGO_STANDALONE_URL"]
    );
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_MONGO_STANDALONE_URL"]
async fn what_a_standalone_lacks_is_said() {
    let database = OwnDatabase::on(standalone_url());
    let options = MongoOptions::from_url(&standalone_url()).await.unwrap();
    let store = options.database(database.name()).open().await.unwrap();
    let said = store.durability().await.unwrap();
    assert_eq!((said.power_loss, said.failover), (Survival::Kept, Survival::MayBeLost));
    let mut session = store.client().start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    let key = Key::new("shop", "product", 1).unwrap();
    let refused = store.apply_in(&mut session, &key, &rules::created()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused:?}");
    assert_eq!(store.get(&key).await.unwrap(), None);
}
