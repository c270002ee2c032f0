//! A failure of a push that was not claimed.

use std::future::IntoFuture;
use std::time::Duration;

use super::within::{Deed, within};
use super::{Call, Tracker, key_of};
use crate::change::Outcome;
use crate::entity::IntoEntity;
use crate::error::{Error, Result};
use crate::events::Transition;
use crate::failure::FailureNote;
use crate::key::{Key, Source};
use crate::rules;
use crate::time::Millis;

impl Tracker {
    /// A push of the entity to the source failed, and it had not been claimed: also for an entity
    /// that was never tracked there.
    ///
    /// See [`rules::mark_failed`].
    pub fn mark_failed(
        &self,
        entity: impl IntoEntity,
        source: impl TryInto<Source, Error: Into<Error>>,
        note: FailureNote,
    ) -> MarkFailed {
        let key = key_of(entity, source);
        MarkFailed { tracker: self.clone(), key, note, retry_after: None }
    }
}

/// A failure to be reported.
#[derive(Debug)]
#[must_use = "calls of the tracker do nothing until they are awaited"]
pub struct MarkFailed {
    tracker: Tracker,
    key: Result<Key>,
    note: FailureNote,
    retry_after: Option<Duration>,
}

impl MarkFailed {
    /// The wait that the remote asked for: no retry is due earlier. At most 3,650 days.
    pub fn retry_after(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    fn deed(self) -> Result<(Tracker, Deed)> {
        let Self { tracker, key, note, retry_after } = self;
        let retry_after = retry_after.map(Millis::try_from).transpose()?;
        let change = rules::mark_failed(&note, &tracker.settings.schedule, retry_after);
        Ok((tracker, Deed::new(key?, change, Some(Transition::SyncFailed))))
    }
}

within!(MarkFailed);

impl IntoFuture for MarkFailed {
    type Output = Result<Outcome>;
    type IntoFuture = Call<'static, Outcome>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (tracker, deed) = self.deed()?;
            deed.carry_out(&tracker).await
        })
    }
}
