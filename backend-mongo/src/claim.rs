//! Claims: the due records are read, and each is taken by a change that demands that it is due.

use futures_util::future::try_join3;
use futures_util::{StreamExt, TryStreamExt, stream};
use mongodb::bson::{Bson, bson, doc};
use sync_tracker_core::{
    Applied, Change, ClaimRequest, Claimed, Outcome, Result, SyncRecord, SyncStore, claim_order,
};

use crate::batch::AT_ONCE;
use crate::expression::Now;
use crate::list::{due_now, filtered, not_reserved};
use crate::store::MongoStore;
use crate::value::change_id;

impl MongoStore {
    pub(crate) async fn claim_due(&self, request: &ClaimRequest) -> Result<Claimed> {
        let change = request.change();
        let now = self.now_of_call();
        let live = self.find(filtered(&request.granted(), None, now), doc! { "_id": 1 }, None);
        let due = self.due(request, &change, now);
        let (mut granted, due, paused) =
            try_join3(live, due, self.paused(request.source())).await?;
        granted.sort_by(|a, b| claim_order(a).cmp(&claim_order(b)));
        granted.truncate(request.limit());
        let due = if paused.is_some() { Vec::new() } else { due };
        let selected = request.select(granted.len(), &due);
        let takes: Vec<_> = selected.into_iter().map(|record| self.take(record, &change)).collect();
        let taken: Vec<_> = stream::iter(takes).buffered(AT_ONCE).try_collect().await?;
        let mut claimed = Claimed::default();
        granted.into_iter().chain(taken.into_iter().flatten()).for_each(|it| claimed.push(it));
        Ok(claimed)
    }

    /// Records that may be taken, the one due longest first: one more than are asked for, since a
    /// lease that ran out may stand before them.
    async fn due(
        &self,
        request: &ClaimRequest,
        change: &Change,
        now: Now,
    ) -> Result<Vec<SyncRecord>> {
        let mut all: Vec<Bson> = vec![
            bson!({ "_id.source": request.source().as_str() }),
            not_reserved(),
            bson!({ "recent_changes": { "$ne": change_id(change.id()) } }),
        ];
        all.extend(due_now(now));
        let order = doc! { "due_at": 1, "_id": 1 };
        self.find(doc! { "$and": all }, order, Some(request.limit() + 1)).await
    }

    /// Nothing if another claim was faster.
    async fn take(&self, record: &SyncRecord, change: &Change) -> Result<Option<SyncRecord>> {
        Ok(match self.apply_one(&record.key, change).await? {
            Outcome::Applied(Applied { record, replayed: false, .. }) => Some(record),
            Outcome::Applied(_) | Outcome::Refused(_) => None,
        })
    }
}
