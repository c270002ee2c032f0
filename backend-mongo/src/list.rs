//! Reading: pages, lookups, many at once.

use std::collections::HashMap;

use futures_util::TryStreamExt;
use mongodb::bson::{Bson, Document, bson, doc};
use sync_tracker_core::{
    Cursor, EntityRef, EntityType, ExternalId, Filter, Key, Page, PageSize, Result, Source, Status,
    SyncRecord, first_found,
};

use crate::answer;
use crate::error::{Effect, unexpected};
use crate::expression::Now;
use crate::store::MongoStore;
use crate::value;

/// How many records one command reads at most.
const READ_AT_ONCE: usize = 1_000;

/// The statuses in which a record has an instant from which on it is due.
const EVER_DUE: [Status; 3] = [Status::Pending, Status::Failed, Status::InProgress];

/// What a filter says to the server: all but of the metadata.
pub(crate) fn filtered(filter: &Filter, after: Option<&Cursor>, now: Now) -> Document {
    let Filter { source, entity_type, status, due, claim_id, metadata: _ } = filter;
    let mut all: Vec<Bson> = Vec::new();
    if let Some(source) = source {
        // By the whole id, so that it is a range of the order of pages.
        let (mut from, mut to) = (doc! { "source": source.as_str() }, Document::new());
        if let Some(of) = entity_type {
            from.insert("entity_type", of.as_str());
            to.clone_from(&from);
            to.insert("entity_id", Bson::MaxKey);
        } else {
            to.clone_from(&from);
            to.insert("entity_type", Bson::MaxKey);
        }
        all.push(bson!({ "_id": { "$gte": from, "$lt": to } }));
        all.push(bson!({ "_id.source": source.as_str() }));
    }
    match entity_type {
        Some(of) => all.push(bson!({ "_id.entity_type": of.as_str() })),
        None => all.push(not_reserved()),
    }
    all.extend(status.map(|status| bson!({ "status": status.as_str() })));
    match due {
        Some(true) => {
            all.extend(due_now(now));
            if status.is_none() {
                // Nobody else is ever due. So the server may go along the index of statuses, which is
                // in the order of pages, where it would have to sort all that is due.
                all.push(bson!({ "status": { "$in": EVER_DUE.map(Status::as_str).to_vec() } }));
            }
        }
        Some(false) => {
            let later = bson!({ "$expr": { "$gt": ["$due_at", now.expression()] } });
            all.push(bson!({ "$or": [{ "due_at": Bson::Null }, later] }));
        }
        None => {}
    }
    all.extend(claim_id.as_ref().map(|claim| bson!({ "lease.claim_id": claim.to_string() })));
    if let Some(cursor) = after {
        let last = match cursor.key() {
            Some(key) => value::key(key),
            None => doc! { "source": cursor.source().as_str(), "entity_type": Bson::MaxKey },
        };
        all.push(bson!({ "_id": { "$gt": last } }));
    }
    doc! { "$and": all }
}

/// Types that the ledger keeps for itself.
pub(crate) fn not_reserved() -> Bson {
    let reserved = bson!({ "$gte": "sync-tracker/", "$lt": "sync-tracker0" });
    bson!({ "_id.entity_type": { "$not": reserved } })
}

pub(crate) fn due_now(now: Now) -> [Bson; 2] {
    [
        bson!({ "due_at": { "$type": "date" } }),
        bson!({ "$expr": { "$lte": ["$due_at", now.expression()] } }),
    ]
}

/// The records of one entity.
pub(crate) fn of_entity(entity: &EntityRef) -> Document {
    let EntityRef { entity_type, entity_id } = entity;
    doc! { "_id.entity_type": entity_type.as_str(), "_id.entity_id": entity_id.as_str() }
}

/// Every record that has one of these external ids, also as the memory of a deletion.
pub(crate) fn carriers(source: &Source, entity_type: &EntityType, ids: &[ExternalId]) -> Document {
    let ids: Vec<_> = ids.iter().map(ExternalId::as_str).collect();
    let of = |holds: bool| {
        doc! {
            "_id.source": source.as_str(),
            "_id.entity_type": entity_type.as_str(),
            "known_ids": { "$in": ids.clone() },
            "holds_ids": holds,
        }
    };
    doc! { "$or": [of(true), of(false)] }
}

pub(crate) fn by_source() -> Document {
    doc! { "_id.source": 1 }
}

impl MongoStore {
    pub(crate) async fn page(
        &self,
        filter: &Filter,
        after: Option<&Cursor>,
        size: PageSize,
    ) -> Result<Page> {
        let mut found: Vec<SyncRecord> = Vec::new();
        let mut after = after.cloned();
        loop {
            // One more tells whether there is another page.
            let missing = size.get() + 1 - found.len();
            let filtered = filtered(filter, after.as_ref(), self.now_of_call());
            let read = self.find(filtered, doc! { "_id": 1 }, Some(missing)).await?;
            let is_last = read.len() < missing;
            after = read.last().map(|record| Cursor::after(&record.key));
            let wanted = filter.metadata.as_ref();
            let passes = |record: &SyncRecord| {
                wanted.is_none_or(|metadata| record.metadata.contains(metadata))
            };
            found.extend(read.into_iter().filter(passes));
            if is_last || found.len() > size.get() {
                return Ok(Page::of(found, size));
            }
        }
    }

    /// Records in an order, so many at most.
    pub(crate) async fn find(
        &self,
        filter: Document,
        order: Document,
        most: Option<usize>,
    ) -> Result<Vec<SyncRecord>> {
        let records = self.records.clone();
        let read = async move {
            // All of them at once: by itself the server sends a hundred first.
            let at_once = value::whole_u32(most.unwrap_or(READ_AT_ONCE));
            let mut find = records.find(filter).sort(order).batch_size(at_once);
            if let Some(most) = most {
                find = find.limit(value::whole(most));
            }
            find.await?.try_collect::<Vec<_>>().await
        };
        let found = self.run(Effect::None, read).await;
        answer::records(&found.map_err(|failed| failed.into_error(Effect::None))?)
    }

    /// By one step along an index for each source.
    pub(crate) async fn distinct_sources(&self) -> Result<Vec<Source>> {
        let records = self.records.clone();
        let list = async move { records.distinct("_id.source", doc! {}).await };
        let listed = self.run(Effect::None, list).await;
        let mut sources = Vec::new();
        for name in listed.map_err(|failed| failed.into_error(Effect::None))? {
            sources.push(Source::new(name.as_str().ok_or_else(unexpected)?)?);
        }
        sources.sort();
        Ok(sources)
    }

    pub(crate) async fn read_many(&self, keys: &[Key]) -> Result<Vec<Option<SyncRecord>>> {
        let mut found = HashMap::new();
        for chunk in keys.chunks(READ_AT_ONCE) {
            let ids: Vec<_> = chunk.iter().map(value::key).collect();
            let most = Some(chunk.len());
            let read = self.find(doc! { "_id": { "$in": ids } }, doc! {}, most).await?;
            found.extend(read.into_iter().map(|record| (record.key.clone(), record)));
        }
        Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
    }

    pub(crate) async fn carriers(
        &self,
        source: &Source,
        entity_type: &EntityType,
        ids: &[ExternalId],
    ) -> Result<Vec<SyncRecord>> {
        self.find(carriers(source, entity_type, ids), doc! {}, None).await
    }

    pub(crate) async fn find_by_ids(
        &self,
        source: &Source,
        entity_type: &EntityType,
        ids: &[ExternalId],
    ) -> Result<Vec<Option<SyncRecord>>> {
        let mut found = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(READ_AT_ONCE) {
            let carriers = self.carriers(source, entity_type, chunk).await?;
            let mut by_id: HashMap<_, Vec<_>> = HashMap::new();
            for record in &carriers {
                for id in record.external_ids() {
                    by_id.entry(id).or_default().push(record);
                }
            }
            found.extend(chunk.iter().map(|id| {
                let carriers = by_id.get(id).into_iter().flatten().copied();
                first_found(carriers).cloned()
            }));
        }
        Ok(found)
    }
}
