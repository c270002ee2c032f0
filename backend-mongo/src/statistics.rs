//! How a source is doing, counted by the server.

use futures_util::TryStreamExt;
use mongodb::bson::{Bson, Document, bson, doc};
use sync_tracker_core::{EntityType, Result, Source, Statistics, Status, Timestamp};

use crate::error::{Effect, unexpected};
use crate::expression::{all, cond, equal, present};
use crate::store::MongoStore;

impl MongoStore {
    pub(crate) async fn count(&self, source: &Source) -> Result<Statistics> {
        let now = self.now_of_call().expression();
        let is_queued = present("$due_at".into());
        let is_due = all(vec![is_queued.clone(), bson!({ "$lte": ["$due_at", now.clone()] })]);
        let is_later = all(vec![is_queued, bson!({ "$gt": ["$due_at", now.clone()] })]);
        let is_pending = equal("$status".into(), Status::Pending.as_str().into());
        let group = doc! {
            "_id": { "entity_type": "$key.entity_type", "status": "$status" },
            "records": { "$sum": Bson::Int64(1) },
            "due_now": { "$sum": cond(is_due, Bson::Int64(1), Bson::Int64(0)) },
            "next_due": { "$min": cond(is_later, "$due_at".into(), Bson::Null) },
            "oldest_pending": { "$min": cond(is_pending, "$pending_since".into(), Bson::Null) },
            "now": { "$first": now },
        };
        // Nothing but the fields of one index, so that no document is read.
        let pipeline = vec![
            doc! { "$match": { "_id.source": source.as_str() } },
            doc! { "$project": {
                "_id": 0, "key": "$_id", "status": 1, "due_at": 1, "pending_since": 1,
            } },
            doc! { "$group": group },
        ];
        let records = self.records.clone();
        let count =
            async move { records.aggregate(pipeline).await?.try_collect::<Vec<Document>>().await };
        let groups = self.run(Effect::None, count).await;
        let groups = groups.map_err(|failed| failed.into_error(Effect::None))?;
        let now = match groups.first() {
            Some(group) => instant(group, "now")?.ok_or_else(unexpected)?,
            None => self.server_time().await?,
        };
        let mut statistics = Statistics::new(now);
        let mut counted = Vec::new();
        for group in &groups {
            let id = group.get_document("_id").map_err(|_| unexpected())?;
            let entity_type = EntityType::new(id.get_str("entity_type").unwrap_or_default())?;
            if entity_type.is_reserved() {
                continue;
            }
            let name = id.get_str("status").map_err(|_| unexpected())?;
            let named = |status: &Status| status.as_str() == name;
            let status = Status::ALL.into_iter().find(named).ok_or_else(unexpected)?;
            counted.push((entity_type, status, number(group, "records")?));
            statistics.due_now += number(group, "due_now")?;
            let sooner = |one: Option<Timestamp>, other| one.into_iter().chain(other).min();
            statistics.next_due = sooner(statistics.next_due, instant(group, "next_due")?);
            let oldest = instant(group, "oldest_pending")?;
            statistics.oldest_pending = sooner(statistics.oldest_pending, oldest);
        }
        statistics.counts = counted.into_iter().collect();
        Ok(statistics)
    }
}

fn number(group: &Document, field: &str) -> Result<u64> {
    let number = group.get_i64(field).map_err(|_| unexpected())?;
    number.try_into().map_err(|_| unexpected())
}

fn instant(group: &Document, field: &str) -> Result<Option<Timestamp>> {
    match group.get(field) {
        Some(Bson::DateTime(instant)) => {
            Timestamp::from_millis(instant.timestamp_millis()).map(Some)
        }
        Some(Bson::Null) => Ok(None),
        _ => Err(unexpected()),
    }
}
