//! The indexes of the records.

use mongodb::IndexModel;
use mongodb::bson::{Document, doc};
use mongodb::options::IndexOptions;

/// Every index but that of keys.
pub(crate) fn all() -> Vec<IndexModel> {
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
        model(
            doc! { "_id.source": 1, "status": 1, "_id": 1 },
            IndexOptions::builder().name("status".to_owned()).build(),
        ),
    ]
}

fn model(keys: Document, options: IndexOptions) -> IndexModel {
    IndexModel::builder().keys(keys).options(options).build()
}
