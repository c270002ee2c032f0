//! Claims: the due records are read, and taken by a change that demands that each is due still.

use std::collections::HashMap;

use futures_util::TryStreamExt;
use mongodb::bson::{Bson, RawDocumentBuf, bson, doc};
use sync_tracker_core::{
    Applied, Change, ChangeId, ClaimId, ClaimRequest, Claimed, Outcome, Result, SyncRecord,
    claim_order,
};

use crate::answer::timed;
use crate::batch::noted_arm;
use crate::compose::{Composed, Write, compose};
use crate::document::decode;
use crate::error::Effect;
use crate::list::{due_now, filtered, not_reserved};
use crate::pauses::lasting;
use crate::store::MongoStore;
use crate::value::{change_id, key, whole, whole_u32};

/// How often a claim looks for what is due, if others take what it chose.
const ROUNDS: usize = 2;
/// How far it goes out of their way, in its own lengths.
const AWAY: usize = 4;

/// What a claim finds.
#[derive(Default)]
struct Candidates {
    /// Granted before, by a call whose answer was lost.
    granted: Vec<SyncRecord>,
    due: Vec<SyncRecord>,
}

impl MongoStore {
    pub(crate) async fn claim_due(&self, request: &ClaimRequest) -> Result<Claimed> {
        let change = request.change();
        let mut claimed = Vec::new();
        for round in 0..ROUNDS {
            // Behind what those who were faster are at.
            let skipped = match round {
                0 => 0,
                _ => rand::random_range(0..=AWAY * request.limit()),
            };
            let Candidates { mut granted, due } =
                self.candidates(request, &change, skipped).await?;
            granted.sort_by(|a, b| claim_order(a).cmp(&claim_order(b)));
            granted.truncate(request.limit());
            let selected = request.select(granted.len(), &due);
            let taken = self.take(&selected, &change, request.claim_id()).await?;
            let is_alone = taken.len() == selected.len();
            claimed = granted;
            claimed.extend(taken);
            if is_alone {
                break;
            }
        }
        let mut answer = Claimed::default();
        claimed.into_iter().for_each(|it| answer.push(it));
        Ok(answer)
    }

    /// What may be taken, the one due longest first: one more than are asked for, since a lease that
    /// ran out may stand before them. With it, in the same command, the live leases of the claim, and
    /// whether the source is paused.
    async fn candidates(
        &self,
        request: &ClaimRequest,
        change: &Change,
        skipped: usize,
    ) -> Result<Candidates> {
        let now = self.now_of_call();
        let mut all: Vec<Bson> = vec![
            bson!({ "_id.source": request.source().as_str() }),
            not_reserved(),
            bson!({ "recent_changes": { "$ne": change_id(change.id()) } }),
        ];
        all.extend(due_now(now));
        let granted = filtered(&request.granted(), None, now);
        let pause = lasting(request.source(), now);
        let pipeline = vec![
            doc! { "$match": { "$and": all } },
            doc! { "$sort": { "due_at": 1, "_id": 1 } },
            doc! { "$skip": whole(skipped) },
            doc! { "$limit": whole(request.limit() + 1) },
            doc! { "$unionWith": {
                "coll": self.records.name(),
                "pipeline": [{ "$match": granted }, { "$set": { "granted": true } }],
            } },
            doc! { "$unionWith": {
                "coll": self.pauses.name(),
                "pipeline": [{ "$match": pause }, { "$project": { "paused": { "$literal": true } } }],
            } },
        ];
        let records = self.records.clone();
        // One batch for all that there can be.
        let most = whole_u32(2 * request.limit() + 3);
        let read = async move {
            let read = records.aggregate(pipeline).batch_size(most).with_type::<RawDocumentBuf>();
            read.await?.try_collect::<Vec<_>>().await
        };
        let found = self.run(Effect::None, read).await;
        let found = found.map_err(|failed| failed.into_error(Effect::None))?;
        let mut candidates = Candidates::default();
        let mut is_paused = false;
        for document in &found {
            if document.get_bool("paused").is_ok() {
                is_paused = true;
            } else if document.get_bool("granted").is_ok() {
                candidates.granted.push(decode(document)?);
            } else {
                candidates.due.push(decode(document)?);
            }
        }
        if is_paused {
            candidates.due.clear();
        }
        Ok(candidates)
    }

    /// Takes records by one update of all and one read of what it did, in their order; without those
    /// of which another claim was faster.
    async fn take(
        &self,
        selected: &[&SyncRecord],
        change: &Change,
        claim_id: &ClaimId,
    ) -> Result<Vec<SyncRecord>> {
        if let [record] = selected {
            return Ok(match self.apply_one(&record.key, change).await? {
                Outcome::Applied(Applied { record, replayed: false, .. }) => vec![record],
                Outcome::Applied(_) | Outcome::Refused(_) => Vec::new(),
            });
        }
        let ids: Vec<_> = selected.iter().map(|record| key(&record.key)).collect();
        let Some(first) = selected.first() else { return Ok(Vec::new()) };
        let write = Write { call: ChangeId::random(), in_batch: true };
        let Composed { pipeline, .. } = compose(change, write, self.now_of_call());
        let of_source = first.key.source.as_str();
        let these = doc! { "_id.source": of_source, "_id": { "$in": ids.clone() } };
        let records = self.records.clone();
        let update = async move { records.update_many(these, pipeline).await };
        let updated = self.run(Effect::Write, update).await;
        updated.map_err(|failed| failed.into_error(Effect::Write))?;
        let mut taken = HashMap::new();
        for answer in &self.read_written(ids).await? {
            let (_, document) = timed(answer)?;
            if noted_arm(document, write.call).is_some() {
                let record = decode(document)?;
                let is_last = record.recent_changes.last() == Some(change.id());
                let is_held = record.lease.as_ref().is_some_and(|it| it.claim_id == *claim_id);
                // Else somebody took it away since.
                if is_last || is_held {
                    taken.insert(record.key.clone(), record);
                }
            }
        }
        Ok(selected.iter().filter_map(|record| taken.remove(&record.key)).collect())
    }
}
