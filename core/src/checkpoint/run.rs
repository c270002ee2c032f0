//! Pulling by checkpoints.

use std::sync::Arc;
use std::time::Duration;

use super::{Checkpoint, CheckpointStore, SaveCheckpoint, Saved, StreamName, Watermark};
use crate::counter::Generation;
use crate::error::{Error, Result};
use crate::ids::ChangeId;
use crate::json::JsonValue;
use crate::key::Source;
use crate::layers::{DEFAULT_DEADLINE, Deadline, Retry};

/// Checkpoints, as applications use them: over any store, cheap to clone.
///
/// ```
/// # use sync_tracker_core::{Checkpoints, JsonValue, Saved};
/// # use sync_tracker_memory::MemoryStore;
/// # type Answer = Result<(Vec<u8>, JsonValue, bool), sync_tracker_core::Error>;
/// # async fn page(_: Option<&JsonValue>) -> Answer {
/// #     Ok((vec![], JsonValue::of("cursor-1")?, true))
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let checkpoints = Checkpoints::new(MemoryStore::new());
/// let mut run = checkpoints.begin("shopify", "orders").await?;
/// let mut cursor = run.start_bound().value().cloned(); // none: read everything
/// loop {
///     let (items, next, last) = page(cursor.as_ref()).await?;
///     // … take the items in, and only then move the checkpoint …
///     if let Saved::Stale(_) = run.advance(next.clone()).await? {
///         break; // another run is ahead, or a full run was asked for
///     }
///     cursor = Some(next);
///     if last {
///         break;
///     }
/// }
/// # assert_eq!(run.checkpoint().value, cursor);
/// # Ok(())
/// # }
/// ```
///
/// Move a checkpoint *after* what it stands for is stored: a crash in between makes items come
/// twice, never not at all.
///
/// Every call of the store ends within [`DEFAULT_DEADLINE`] unless it was said otherwise, and is
/// tried up to three times. Needs a tokio runtime with its timer enabled.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    given: Arc<dyn CheckpointStore>,
    store: Arc<dyn CheckpointStore>,
}

impl Checkpoints {
    /// Checkpoints in a store, with default settings.
    #[must_use]
    pub fn new(store: impl CheckpointStore) -> Self {
        let given: Arc<dyn CheckpointStore> = Arc::new(store);
        Self { store: layered(&given, DEFAULT_DEADLINE), given }
    }

    /// Gives every call of the store this long.
    #[must_use]
    pub fn with_deadline(self, deadline: Duration) -> Self {
        Self { store: layered(&self.given, deadline), ..self }
    }

    /// The store, with the deadline and the retries.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn CheckpointStore> {
        &self.store
    }

    /// Begins a run, from where the last one got to.
    ///
    /// If the checkpoint is older than the [purge horizon](super::PurgeHorizon) of the source, it
    /// is reset.
    ///
    /// # Errors
    ///
    /// As the store's calls, or [`Invalid`](crate::ErrorKind::Invalid).
    pub async fn begin(
        &self,
        source: impl TryInto<Source, Error: Into<Error>>,
        stream: impl TryInto<StreamName, Error: Into<Error>>,
    ) -> Result<PullRun> {
        let (source, stream) = (source.try_into().map_err(Into::into), stream.try_into());
        let (source, stream) = (source?, stream.map_err(Into::into)?);
        let mut checkpoint = self.store.load(&source, &stream).await?;
        let horizon = self.store.horizon(&source).await?;
        let start = match &checkpoint.value {
            None if checkpoint.generation == Generation::ZERO => StartBound::Full(FullRun::First),
            None => StartBound::Full(FullRun::Reset),
            Some(_) if checkpoint.saved_at < horizon => {
                checkpoint = self.store.reset(&source, &stream, ChangeId::random()).await?;
                StartBound::Full(FullRun::BehindPurge)
            }
            Some(value) => StartBound::After(value.clone()),
        };
        let store = Arc::clone(&self.store);
        Ok(PullRun { store, source, stream, start, checkpoint, has_advanced: false })
    }

    /// Forces the next run to be a full one, and refuses those under way. To be called when the
    /// remote does not know the cursor any more, or when what is pulled has changed.
    ///
    /// # Errors
    ///
    /// As the store's [`reset`](CheckpointStore::reset), or
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub async fn reset(
        &self,
        source: impl TryInto<Source, Error: Into<Error>>,
        stream: impl TryInto<StreamName, Error: Into<Error>>,
    ) -> Result<Checkpoint> {
        let (source, stream) = (source.try_into().map_err(Into::into), stream.try_into());
        let (source, stream) = (source?, stream.map_err(Into::into)?);
        self.store.reset(&source, &stream, ChangeId::random()).await
    }

    /// The checkpoints of a source that were ever saved or reset, ordered by stream.
    ///
    /// # Errors
    ///
    /// As the store's [`checkpoints`](CheckpointStore::checkpoints), or
    /// [`Invalid`](crate::ErrorKind::Invalid).
    pub async fn of_source(
        &self,
        source: impl TryInto<Source, Error: Into<Error>>,
    ) -> Result<Vec<(StreamName, Checkpoint)>> {
        let source = source.try_into().map_err(Into::into);
        self.store.checkpoints(&source?).await
    }
}

fn layered(given: &Arc<dyn CheckpointStore>, deadline: Duration) -> Arc<dyn CheckpointStore> {
    Arc::new(Deadline::new(Retry::new(Arc::clone(given)), deadline))
}

/// Where a run begins. It stays as it is for the whole run, whatever the run saves meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartBound {
    /// Read everything.
    Full(FullRun),
    /// Read what comes after this.
    After(JsonValue),
}

impl StartBound {
    /// The value to read from; none if everything is to be read.
    #[must_use]
    pub fn value(&self) -> Option<&JsonValue> {
        match self {
            Self::Full(_) => None,
            Self::After(value) => Some(value),
        }
    }
}

/// Why a run is a full one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FullRun {
    /// Nobody pulled the stream yet.
    First,
    /// The checkpoint was reset.
    Reset,
    /// The checkpoint was older than the purge horizon: tombstones that it needs are gone.
    BehindPurge,
}

/// What shows that a run got to where it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Evidence {
    /// Items were seen.
    Items,
    /// The remote itself gave the value, as a cursor or the like, though maybe without items.
    Cursor,
    /// Neither: an empty answer, of which nobody knows whether it was a right one.
    Nothing,
}

/// What became of the end of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "the checkpoint may not have moved"]
pub enum Finished {
    /// The checkpoint is moved.
    Saved(Checkpoint),
    /// The run showed nothing, so the checkpoint stays.
    Kept(Checkpoint),
    /// Another run moved the checkpoint, or it was reset: it stays as it is, which is this.
    Stale(Checkpoint),
}

/// One run of a pull. If it fails, drop it: the checkpoint stays where it last advanced to.
#[derive(Debug)]
pub struct PullRun {
    store: Arc<dyn CheckpointStore>,
    source: Source,
    stream: StreamName,
    start: StartBound,
    /// As this run last saw it.
    checkpoint: Checkpoint,
    has_advanced: bool,
}

impl PullRun {
    /// Where the run begins: fixed for the whole of it. Use it, and not what was advanced to
    /// since, in the queries of a run that goes over items in any other order than the
    /// checkpoint's.
    #[must_use]
    pub fn start_bound(&self) -> &StartBound {
        &self.start
    }

    /// Where the run begins, as a watermark, so much before the maximum that was seen. Items near
    /// it come again, so that none is missed which became visible late.
    ///
    /// ```
    /// # use sync_tracker_core::{Checkpoints, Finished};
    /// # use sync_tracker_memory::MemoryStore;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let checkpoints = Checkpoints::new(MemoryStore::new());
    /// let run = checkpoints.begin("shopify", "orders").await?;
    /// assert_eq!(run.start_watermark::<i64>(10)?, None);
    /// assert!(matches!(run.finish_at(Some(500_i64)).await?, Finished::Saved(_)));
    ///
    /// let run = checkpoints.begin("shopify", "orders").await?;
    /// assert_eq!(run.start_watermark::<i64>(10)?, Some(490));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Corrupt`](crate::ErrorKind::Corrupt) if the checkpoint is none of this type.
    pub fn start_watermark<W: Watermark>(&self, lookback: W::Lookback) -> Result<Option<W>> {
        let value = self.start.value().map(W::of_value).transpose()?;
        Ok(value.map(|maximum| maximum.looking_back(lookback)))
    }

    /// The checkpoint as this run last saw it.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Moves the checkpoint, in the middle of the run: everything up to `value` is stored here. An
    /// empty page counts too, if the remote went on with it.
    ///
    /// # Errors
    ///
    /// As the store's [`save`](CheckpointStore::save). After an error whose outcome is unknown the
    /// run may be stale by its own doing: begin another.
    ///
    /// # Cancellation
    ///
    /// Dropped before it is done, the checkpoint may or may not be moved: begin another run.
    pub async fn advance(&mut self, value: JsonValue) -> Result<Saved> {
        let request = SaveCheckpoint {
            source: self.source.clone(),
            stream: self.stream.clone(),
            value,
            version: self.checkpoint.version,
            generation: self.checkpoint.generation,
            id: ChangeId::random(),
        };
        let saved = self.store.save(&request).await?;
        if let Saved::Done(checkpoint) = &saved {
            self.checkpoint = checkpoint.clone();
            self.has_advanced = true;
        }
        Ok(saved)
    }

    /// As [`advance`](Self::advance), to the highest watermark of the items seen so far. It never
    /// goes back: a lookback sees items below the maximum that is stored.
    ///
    /// # Errors
    ///
    /// As [`advance`](Self::advance), or [`Corrupt`](crate::ErrorKind::Corrupt) if the checkpoint
    /// is none of this type.
    pub async fn advance_to<W: Watermark>(&mut self, seen: W) -> Result<Saved> {
        let stored = self.checkpoint.value.as_ref().map(W::of_value).transpose()?;
        let value = stored.map_or(seen, |stored| stored.max(seen)).to_value()?;
        self.advance(value).await
    }

    /// Ends the run, at `value`. Without evidence, in this call or by an advance before it, the
    /// checkpoint stays.
    ///
    /// # Errors
    ///
    /// As [`advance`](Self::advance).
    pub async fn finish(mut self, value: JsonValue, evidence: Evidence) -> Result<Finished> {
        if evidence == Evidence::Nothing && !self.has_advanced {
            return Ok(Finished::Kept(self.checkpoint));
        }
        self.advance(value).await.map(Finished::from)
    }

    /// Ends the run, at the highest watermark of the items seen; none if there were none, and then
    /// the checkpoint stays. Never give it a clock's time: what becomes visible late would be
    /// missed.
    ///
    /// # Errors
    ///
    /// As [`advance_to`](Self::advance_to).
    pub async fn finish_at<W: Watermark>(mut self, seen: Option<W>) -> Result<Finished> {
        match seen {
            Some(seen) => self.advance_to(seen).await.map(Finished::from),
            None => Ok(Finished::Kept(self.checkpoint)),
        }
    }
}

impl From<Saved> for Finished {
    fn from(saved: Saved) -> Self {
        match saved {
            Saved::Done(checkpoint) => Self::Saved(checkpoint),
            Saved::Stale(checkpoint) => Self::Stale(checkpoint),
        }
    }
}
