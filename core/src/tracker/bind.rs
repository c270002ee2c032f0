//! Binding an external id.

use std::future::IntoFuture;

use super::{Call, Tracker};
use crate::change::Outcome;
use crate::error::{Error, Result};
use crate::key::{ExternalId, Key};
use crate::rules::{Bind, BindMode};

/// A binding to be made; see [`Bind`].
///
/// By default the record may have no external id yet, or this one, and is made if there is none.
#[derive(Debug)]
#[must_use = "calls of the tracker do nothing until they are awaited"]
pub struct BindExternalId {
    tracker: Tracker,
    key: Result<Key>,
    external_id: Result<ExternalId>,
    mode: Result<BindMode>,
}

impl BindExternalId {
    pub(super) fn new(tracker: Tracker, key: Result<Key>, external_id: Result<ExternalId>) -> Self {
        Self { tracker, key, external_id, mode: Ok(BindMode::Add) }
    }

    /// Refuses to make a record: the entity must be tracked in the source already.
    pub fn only_existing(self) -> Self {
        Self { mode: Ok(BindMode::Link), ..self }
    }

    /// Replaces this external id, which the record must have.
    pub fn in_place_of<X>(self, expected: X) -> Self
    where
        X: TryInto<ExternalId, Error: Into<Error>>,
    {
        let expected = expected.try_into().map_err(Into::into);
        Self { mode: expected.map(|expected| BindMode::Rebind { expected }), ..self }
    }

    async fn run(self) -> Result<Outcome> {
        let Self { tracker, key, external_id, mode } = self;
        let bind = Bind { external_id: external_id?, mode: mode? };
        tracker.apply(&key?, &bind.change()).await
    }
}

impl IntoFuture for BindExternalId {
    type Output = Result<Outcome>;
    type IntoFuture = Call<Outcome>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
