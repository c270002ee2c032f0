//! Where checkpoints live.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Checkpoint, SaveCheckpoint, Saved, StreamName};
use crate::error::Result;
use crate::ids::ChangeId;
use crate::key::Source;
use crate::time::Timestamp;

/// Where the checkpoints of every source and stream live.
///
/// [`CheckpointEntry`](super::CheckpointEntry) tells what each call means; a store that works under
/// a lock may simply call it. [`OverRecords`](crate::OverRecords) makes one of any
/// [`SyncStore`](crate::SyncStore).
///
/// # To be correct
///
/// - Reading the entry, taking the step and writing are one step that no other call for the same
///   checkpoint comes between.
/// - Sources and stream names are compared, and streams ordered, byte by byte; values come back as
///   they were.
/// - Time is the store's, or the explicit clock that it was opened with.
/// - Errors are as with a [`SyncStore`](crate::SyncStore), and so is dropping a future: the call
///   was carried out or not, and is repeated as it was.
#[async_trait]
pub trait CheckpointStore: Debug + Send + Sync + 'static {
    /// The checkpoint of a stream; the default one if it has none.
    async fn load(&self, source: &Source, stream: &StreamName) -> Result<Checkpoint>;

    /// Moves a checkpoint, as [`CheckpointEntry::save`](super::CheckpointEntry::save): of many
    /// at once, one moves it.
    async fn save(&self, request: &SaveCheckpoint) -> Result<Saved>;

    /// Forces a full run, as [`CheckpointEntry::reset`](super::CheckpointEntry::reset). The answer
    /// is the checkpoint as it stands.
    async fn reset(&self, source: &Source, stream: &StreamName, id: ChangeId)
    -> Result<Checkpoint>;

    /// The checkpoints of a source that were ever saved or reset, ordered by stream.
    async fn checkpoints(&self, source: &Source) -> Result<Vec<(StreamName, Checkpoint)>>;

    /// The purge horizon of a source, if there is one.
    async fn horizon(&self, source: &Source) -> Result<Option<Timestamp>>;

    /// Raises the purge horizon of a source, as
    /// [`PurgeHorizon::raise`](super::PurgeHorizon::raise). The answer is the horizon as it stands.
    async fn raise_horizon(&self, source: &Source, to: Timestamp) -> Result<Timestamp>;
}

macro_rules! forward {
    ($pointer:ident) => {
        #[async_trait]
        #[deny(clippy::missing_trait_methods)]
        impl<S: CheckpointStore + ?Sized> CheckpointStore for $pointer<S> {
            async fn load(&self, source: &Source, stream: &StreamName) -> Result<Checkpoint> {
                (**self).load(source, stream).await
            }

            async fn save(&self, request: &SaveCheckpoint) -> Result<Saved> {
                (**self).save(request).await
            }

            async fn reset(
                &self,
                source: &Source,
                stream: &StreamName,
                id: ChangeId,
            ) -> Result<Checkpoint> {
                (**self).reset(source, stream, id).await
            }

            async fn checkpoints(&self, source: &Source) -> Result<Vec<(StreamName, Checkpoint)>> {
                (**self).checkpoints(source).await
            }

            async fn horizon(&self, source: &Source) -> Result<Option<Timestamp>> {
                (**self).horizon(source).await
            }

            async fn raise_horizon(&self, source: &Source, to: Timestamp) -> Result<Timestamp> {
                (**self).raise_horizon(source, to).await
            }
        }
    };
}
forward!(Arc);
forward!(Box);
