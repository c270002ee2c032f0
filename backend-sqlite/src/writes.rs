//! What the writer is asked to write.

use async_trait::async_trait;
use sync_tracker_core::{
    Change, ClaimRequest, Claimed, Guard, Imported, Key, Outcome, PauseRequest, Removal, Renamed,
    Result, Source, SyncRecord, Timestamp,
};

use crate::session::Session;
use crate::writer::Write;
use crate::{claim, records};

pub(crate) struct Apply {
    pub(crate) key: Key,
    pub(crate) change: Change,
}

#[async_trait]
impl Write for Apply {
    type Answer = Outcome;

    fn key(&self) -> Option<&Key> {
        Some(&self.key)
    }

    async fn write(&self, session: &mut Session<'_>, now: Timestamp) -> Result<Outcome> {
        records::apply(session, &self.key, &self.change, now).await
    }
}

pub(crate) struct ApplyMany(pub(crate) Vec<(Key, Change)>);

#[async_trait]
impl Write for ApplyMany {
    type Answer = Vec<Outcome>;

    async fn write(&self, session: &mut Session<'_>, now: Timestamp) -> Result<Vec<Outcome>> {
        records::apply_many(session, &self.0, now).await
    }
}

pub(crate) struct Put(pub(crate) SyncRecord);

#[async_trait]
impl Write for Put {
    type Answer = Imported;

    async fn write(&self, session: &mut Session<'_>, _: Timestamp) -> Result<Imported> {
        records::put(session, &self.0).await
    }
}

pub(crate) struct Remove {
    pub(crate) key: Key,
    pub(crate) guard: Guard,
}

#[async_trait]
impl Write for Remove {
    type Answer = Removal;

    async fn write(&self, session: &mut Session<'_>, now: Timestamp) -> Result<Removal> {
        records::remove(session, &self.key, &self.guard, now).await
    }
}

pub(crate) struct Rename {
    pub(crate) from: Key,
    pub(crate) to: Key,
}

#[async_trait]
impl Write for Rename {
    type Answer = Renamed;

    async fn write(&self, session: &mut Session<'_>, now: Timestamp) -> Result<Renamed> {
        records::rename(session, &self.from, &self.to, now).await
    }
}

pub(crate) struct Claim(pub(crate) ClaimRequest);

#[async_trait]
impl Write for Claim {
    type Answer = Claimed;

    async fn write(&self, session: &mut Session<'_>, now: Timestamp) -> Result<Claimed> {
        claim::claim(session, &self.0, now).await
    }
}

/// Pauses a source, or ends its pause.
pub(crate) struct SetPause {
    pub(crate) source: Source,
    pub(crate) pause: Option<PauseRequest>,
}

#[async_trait]
impl Write for SetPause {
    type Answer = ();

    async fn write(&self, session: &mut Session<'_>, now: Timestamp) -> Result<()> {
        match &self.pause {
            Some(request) => claim::pause(session.beside(), &self.source, request, now).await,
            None => claim::resume(session.beside(), &self.source).await,
        }
    }
}
