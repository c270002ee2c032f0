//! Binding an external id.

use std::future::IntoFuture;

use super::within::{Deed, within};
use super::{Call, Tracker, key_of};
use crate::change::Outcome;
use crate::entity::IntoEntity;
use crate::error::{Error, Result};
use crate::events::Transition;
use crate::key::{ExternalId, Key, Source};
use crate::rules::{Bind, BindMode};

impl Tracker {
    /// Binds an external id to the entity in the source.
    ///
    /// See [`Bind`].
    pub fn bind(
        &self,
        entity: impl IntoEntity,
        source: impl TryInto<Source, Error: Into<Error>>,
        external_id: impl TryInto<ExternalId, Error: Into<Error>>,
    ) -> BindExternalId {
        BindExternalId {
            tracker: self.clone(),
            key: key_of(entity, source),
            external_id: external_id.try_into().map_err(Into::into),
            mode: Ok(BindMode::Add),
        }
    }
}

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

    fn deed(self) -> Result<(Tracker, Deed)> {
        let Self { tracker, key, external_id, mode } = self;
        let bind = Bind { external_id: external_id?, mode: mode? };
        Ok((tracker, Deed::new(key?, bind.change(), Some(Transition::Bound))))
    }
}

within!(BindExternalId);

impl IntoFuture for BindExternalId {
    type Output = Result<Outcome>;
    type IntoFuture = Call<'static, Outcome>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (tracker, deed) = self.deed()?;
            deed.carry_out(&tracker).await
        })
    }
}
