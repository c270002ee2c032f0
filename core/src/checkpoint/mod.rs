//! Checkpoints: where a pull got to, in one stream of one source.

mod entry;
mod run;
mod store;
mod watermark;

pub use self::entry::{CheckpointEntry, PurgeHorizon};
pub use self::run::{Checkpoints, Evidence, Finished, FullRun, PullRun, StartBound};
pub use self::store::CheckpointStore;
pub use self::watermark::Watermark;

use serde::{Deserialize, Deserializer, Serialize};

use crate::counter::{Generation, Version};
use crate::ids::ChangeId;
use crate::json::JsonValue;
use crate::key::Source;
use crate::text::text_type;
use crate::time::Timestamp;

text_type! {
    /// What is pulled from a source by one cursor: `orders`, `orders/eu`.
    ///
    /// A pull that filters or maps differently sees other items, so it is another stream: put what
    /// it depends on into the name, such as a hash of the filter.
    ///
    /// 1 to 255 bytes of UTF-8 without control characters, compared byte by byte.
    StreamName, field = "stream name", max = 255
}

/// Where a pull got to. The default is that of a stream that nobody pulled yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// How far everything is done: a watermark, which is the true maximum seen, or a cursor of the
    /// remote. None before the first run, and after a reset: the next run is a full one.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub value: Option<JsonValue>,
    /// Counts saves and resets; never used twice.
    pub version: Version,
    /// Counts resets.
    pub generation: Generation,
    /// When the value was saved, by the store's clock.
    pub saved_at: Option<Timestamp>,
}

/// A JSON null is a value too.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<JsonValue>, D::Error> {
    JsonValue::deserialize(deserializer).map(Some)
}

/// A checkpoint that is to be moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaveCheckpoint {
    /// The source.
    pub source: Source,
    /// The stream.
    pub stream: StreamName,
    /// The new value.
    pub value: JsonValue,
    /// The version that the checkpoint must have.
    pub version: Version,
    /// The generation that it must have.
    pub generation: Generation,
    /// Tells this call from others: a repeat after a lost reply carries the same one.
    pub id: ChangeId,
}

/// What became of a checkpoint that was to be moved.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a checkpoint that was moved by another is not moved"]
pub enum Saved {
    /// It is moved, by this call or by the one that it repeats.
    Done(Checkpoint),
    /// Another run moved it, or it was reset: it stays as it is, which is this.
    Stale(Checkpoint),
}
