//! A local change, over all sources of the entity.

use std::collections::BTreeSet;
use std::future::IntoFuture;

use super::{Call, Tracker};
use crate::change::{Change, Outcome};
use crate::error::{Error, Result};
use crate::key::{EntityRef, Source};

/// What became of a local change in one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceOutcome {
    /// The source.
    pub source: Source,
    /// What became of it.
    pub outcome: Outcome,
}

/// A local change to be carried out: `created`, `updated` or `deleted`.
///
/// It touches every source that its type is configured for, and every source that has a record of
/// the entity. Each record is changed on its own, and the answer has one outcome per source,
/// ordered by source; none if there is no source.
///
/// # Errors
///
/// If a source could not be changed, the whole call is an error, with the key of the first such
/// record, and others may have been changed. Make the call again: it completes what was cut off.
#[derive(Debug)]
#[must_use = "calls of the tracker do nothing until they are awaited"]
pub struct LocalChange {
    tracker: Tracker,
    entity: Result<EntityRef>,
    change: Change,
}

impl LocalChange {
    pub(super) fn new<E>(tracker: Tracker, entity: E, change: Change) -> Self
    where
        E: TryInto<EntityRef, Error: Into<Error>>,
    {
        Self { tracker, entity: entity.try_into().map_err(Into::into), change }
    }

    async fn run(self) -> Result<Vec<SourceOutcome>> {
        let Self { tracker, entity, change } = self;
        let entity = entity?;
        let configured = tracker.settings.sources.get(&entity.entity_type);
        let mut sources: BTreeSet<Source> = configured.cloned().unwrap_or_default();
        let records = tracker.store.records_of(&entity).await?;
        sources.extend(records.into_iter().map(|record| record.key.source));
        let items: Vec<_> =
            sources.iter().map(|source| (entity.in_source(source), change.clone())).collect();
        let outcomes = tracker.store.apply_many(&items).await;
        sources
            .into_iter()
            .zip(outcomes)
            .map(|(source, outcome)| {
                let outcome = outcome.map_err(|error| error.for_key(&entity.in_source(&source)))?;
                Ok(SourceOutcome { source, outcome })
            })
            .collect()
    }
}

impl IntoFuture for LocalChange {
    type Output = Result<Vec<SourceOutcome>>;
    type IntoFuture = Call<Vec<SourceOutcome>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
