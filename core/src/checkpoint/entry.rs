//! What the calls of a checkpoint store mean: one pure state machine.

use serde::{Deserialize, Serialize};

use super::{Checkpoint, SaveCheckpoint, Saved};
use crate::ids::{self, ChangeId};
use crate::step::Step;
use crate::time::Timestamp;

/// What a store keeps of one checkpoint: the reference that every checkpoint store agrees with.
///
/// As JSON (by serde) it is safe for every reader.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointEntry {
    checkpoint: Checkpoint,
    /// The last write, if it was a save.
    #[serde(with = "ids::as_text")]
    saved_by: Option<ChangeId>,
    #[serde(with = "ids::as_text")]
    reset_by: Option<ChangeId>,
}

impl CheckpointEntry {
    /// The checkpoint.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Moves the checkpoint at `now`, the store's time, if it has the version and the generation
    /// that the caller saw. A repeat is answered as the first, unless there was another write
    /// since.
    pub fn save(
        entry: Option<&Self>,
        request: &SaveCheckpoint,
        now: Timestamp,
    ) -> Step<Self, Saved> {
        let entry = entry.cloned().unwrap_or_default();
        let there = entry.checkpoint;
        if entry.saved_by == Some(request.id) {
            return Step::answer(Saved::Done(there));
        }
        if (there.version, there.generation) != (request.version, request.generation) {
            return Step::answer(Saved::Stale(there));
        }
        let checkpoint = Checkpoint {
            value: Some(request.value.clone()),
            version: there.version.next(),
            generation: there.generation,
            saved_at: Some(now),
        };
        let saved_by = Some(request.id);
        let written = Self { checkpoint: checkpoint.clone(), saved_by, ..entry };
        Step::write(Saved::Done(checkpoint), written)
    }

    /// Forgets the value and begins the next generation: the next run is a full one, and runs that
    /// are under way cannot move the checkpoint any more. A repeat of the last reset changes
    /// nothing.
    pub fn reset(entry: Option<&Self>, id: ChangeId) -> Step<Self, Checkpoint> {
        let entry = entry.cloned().unwrap_or_default();
        let there = entry.checkpoint;
        if entry.reset_by == Some(id) {
            return Step::answer(there);
        }
        let checkpoint = Checkpoint {
            value: None,
            version: there.version.next(),
            generation: there.generation.next(),
            saved_at: None,
        };
        let written = Self { checkpoint: checkpoint.clone(), saved_by: None, reset_by: Some(id) };
        Step::write(checkpoint, written)
    }
}

/// Up to when the tombstones of a source may have been purged: what was deleted before is
/// forgotten, so a pull from a checkpoint that is older would take late news of it for something
/// new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeHorizon {
    instant: Timestamp,
}

impl PurgeHorizon {
    /// The instant.
    #[must_use]
    pub fn instant(self) -> Timestamp {
        self.instant
    }

    /// Raises the horizon; it never goes back. The answer is the horizon as it stands.
    pub fn raise(horizon: Option<&Self>, to: Timestamp) -> Step<Self, Timestamp> {
        match horizon {
            Some(there) if there.instant >= to => Step::answer(there.instant),
            _ => Step::write(to, Self { instant: to }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::counter::{Generation, Version};
    use crate::error::Result;
    use crate::json::JsonValue;

    /// Stores keep it, so it must not change.
    #[test]
    fn an_entry_is_written_as_it_always_was() -> Result<()> {
        let reset = CheckpointEntry::reset(None, ChangeId::from_bits(1)).write.unwrap();
        let request = SaveCheckpoint {
            source: "shop".try_into()?,
            stream: "orders".try_into()?,
            value: JsonValue::new(Value::Null)?,
            version: Version::new(1)?,
            generation: Generation::new(1)?,
            id: ChangeId::from_bits(2),
        };
        let now = Timestamp::from_millis(5)?;
        let saved = CheckpointEntry::save(Some(&reset), &request, now).write.unwrap();
        let reset_by = "0000000000000001";
        for (entry, written) in [
            (
                reset,
                json!({
                    "checkpoint": { "version": 1, "generation": 1, "saved_at": null },
                    "saved_by": null,
                    "reset_by": reset_by,
                }),
            ),
            (
                saved,
                json!({
                    "checkpoint": {
                        "value": null,
                        "version": 2,
                        "generation": 1,
                        "saved_at": "1970-01-01T00:00:00.005Z",
                    },
                    "saved_by": "0000000000000002",
                    "reset_by": reset_by,
                }),
            ),
        ] {
            let json = serde_json::to_value(&entry).unwrap();
            assert_eq!(json, written);
            assert_eq!(serde_json::from_value::<CheckpointEntry>(json).unwrap(), entry);
        }
        let horizon = PurgeHorizon::raise(None, now).write.unwrap();
        let json = json!({ "instant": "1970-01-01T00:00:00.005Z" });
        assert_eq!(serde_json::to_value(horizon).unwrap(), json);
        Ok(())
    }
}
