//! The indexes, and how they are made.

use futures_util::future::try_join;
use mongodb::bson::{Document, doc};
use mongodb::error::Error as DriverError;
use mongodb::options::IndexOptions;
use mongodb::{Collection, IndexModel};
use sync_tracker_core::{Error, ErrorKind, Result};

use crate::error::{self, Effect, Rejected, rejected};
use crate::server::Failed;
use crate::store::MongoStore;

impl MongoStore {
    /// Makes the indexes that are not there yet. The server does so once, whoever asks.
    pub(crate) async fn migrate(&self) -> Result<()> {
        let of_records = self.make(&self.records, of_records());
        let of_inbox = self.make(&self.inbox, of_inbox());
        try_join(of_records, of_inbox).await.map(drop)
    }

    async fn make<T: Send + Sync + 'static>(
        &self,
        collection: &Collection<T>,
        indexes: Vec<IndexModel>,
    ) -> Result<()> {
        let collection = collection.clone();
        let make = async move { collection.create_indexes(indexes).await };
        match self.run(Effect::None, make).await {
            Ok(_) => Ok(()),
            Err(Failed::Refused(cause)) => Err(refused(&cause)),
            Err(failed) => Err(failed.into_error(Effect::None)),
        }
    }
}

/// What is wrong with what is there.
fn refused(cause: &DriverError) -> Error {
    match rejected(cause) {
        Some(Rejected::Duplicate(held)) => {
            let text = |field: &str| held.get_str(field).unwrap_or("?").to_owned();
            let message = format!(
                "two records of {:?} hold the external id {:?} of {:?}; take it from one of them",
                text("_id.entity_type"),
                text("known_ids"),
                text("_id.source"),
            );
            error::error(ErrorKind::Corrupt, &message)
        }
        Some(Rejected::Conflict) => error::error(
            ErrorKind::Unsupported,
            "there is an index of the same name with other fields or options, or the other way \
             round; drop it, and open again",
        )
        .caused_by(cause.clone()),
        None => error::sent(cause, Effect::None),
    }
}

/// Every index of the records but that of keys.
fn of_records() -> Vec<IndexModel> {
    let partial = |filter: Document| IndexOptions::builder().partial_filter_expression(filter);
    let ids = doc! { "_id.source": 1, "_id.entity_type": 1, "known_ids": 1 };
    // The server tells indexes of the same fields apart by their filter.
    vec![
        model(
            ids.clone(),
            partial(doc! { "holds_ids": true }).unique(true).name("held_ids".to_owned()).build(),
        ),
        model(ids, partial(doc! { "holds_ids": false }).name("let_go_ids".to_owned()).build()),
        model(
            doc! { "_id.source": 1, "due_at": 1, "_id": 1 },
            partial(doc! { "due_at": { "$type": "date" } }).name("due".to_owned()).build(),
        ),
        model(
            doc! { "_id.source": 1, "lease.claim_id": 1 },
            partial(doc! { "lease.claim_id": { "$exists": true } })
                .name("claims".to_owned())
                .build(),
        ),
        // Pages of one status, the list of sources, and all that statistics need.
        named(
            "status",
            doc! { "_id.source": 1, "status": 1, "_id": 1, "due_at": 1, "pending_since": 1 },
        ),
        named("entity", doc! { "_id.entity_type": 1, "_id.entity_id": 1, "_id.source": 1 }),
    ]
}

fn of_inbox() -> Vec<IndexModel> {
    vec![named("until", doc! { "_id.source": 1, "until": 1 })]
}

fn named(name: &str, keys: Document) -> IndexModel {
    model(keys, IndexOptions::builder().name(name.to_owned()).build())
}

fn model(keys: Document, options: IndexOptions) -> IndexModel {
    IndexModel::builder().keys(keys).options(options).build()
}
