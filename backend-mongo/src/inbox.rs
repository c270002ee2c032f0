//! The inbox, in records of a reserved type.

use async_trait::async_trait;
use sync_tracker_core::{
    BeginInbox, Begun, InboxStore, JsonValue, Millis, OverRecords, Result, Settled, Source, Ticket,
};

use crate::store::MongoStore;

impl MongoStore {
    pub(crate) fn over_records(&self) -> OverRecords<Self> {
        OverRecords::new(self.clone())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl InboxStore for MongoStore {
    async fn begin(&self, request: &BeginInbox) -> Result<Begun> {
        self.over_records().begin(request).await
    }

    async fn complete(
        &self,
        ticket: &Ticket,
        outcome: &JsonValue,
        remember_for: Millis,
    ) -> Result<Settled> {
        self.over_records().complete(ticket, outcome, remember_for).await
    }

    async fn abandon(&self, ticket: &Ticket) -> Result<Settled> {
        self.over_records().abandon(ticket).await
    }

    async fn forget_expired(&self, source: &Source, grace: Millis) -> Result<u64> {
        self.over_records().forget_expired(source, grace).await
    }
}
