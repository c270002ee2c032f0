//! Checkpoints with one bug, or none.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use sync_tracker_conformance::{Setup, with_checkpoint_behaviours};
use sync_tracker_core::{
    ChangeId, Checkpoint, CheckpointEntry, CheckpointStore, PurgeHorizon, Result, SaveCheckpoint,
    Saved, Source, Step, StoreClock, StreamName, Timestamp,
};
use tokio::task::yield_now;

use crate::{Case, bugs, failing};

bugs! {
    SaveTorn = a_save_is_judged_before_it_is_written,
    ResetTorn = a_reset_is_made_of_what_was_read_before,
    HorizonTorn = a_horizon_is_judged_before_it_is_raised,
    SavesUnguarded = a_save_is_not_guarded,
    VersionIgnored = a_save_ignores_the_version,
    GenerationIgnored = a_save_ignores_the_generation,
    StaleUntold = a_stale_save_is_not_told_where_the_checkpoint_stands,
    StaleIsDone = a_stale_save_is_told_that_it_is_done,
    RepeatRefused = a_repeated_save_is_refused,
    RepeatSaves = a_repeated_save_saves_again,
    LateCopyIsDone = a_late_copy_of_a_save_is_told_that_it_is_done,
    SameNotSaved = a_save_of_the_same_value_is_left_out,
    ResetKeepsValue = a_reset_keeps_the_value,
    ResetKeepsInstant = a_reset_keeps_when_the_value_was_saved,
    ResetKeepsGeneration = a_reset_begins_no_generation,
    VersionReused = a_version_is_used_again_after_a_reset,
    ResetRepeated = a_repeated_reset_resets_again,
    LateResetResets = a_late_copy_of_a_reset_resets_a_later_run,
    SourcesShared = a_checkpoint_is_of_every_source,
    StreamsFolded = streams_are_compared_without_case,
    StreamsTrimmed = streams_are_trimmed,
    NullIsNothing = a_value_that_is_null_is_none,
    IntegersAsFloats = integers_come_back_as_floats,
    SavedAtStays = when_a_value_was_saved_stays_that_of_the_first,
    SavedAtInSeconds = when_a_value_was_saved_is_kept_in_seconds,
    ListedBackwards = checkpoints_are_listed_backwards,
    ListedFolded = checkpoints_are_listed_in_an_order_without_case,
    ListedEverywhere = checkpoints_of_every_source_are_listed,
    ResetNotListed = a_checkpoint_without_a_value_is_not_listed,
    HorizonGoesBack = a_horizon_goes_back,
    HorizonShared = a_horizon_is_of_every_source,
    NamespacesShared = namespaces_share_their_checkpoints,
    ClockIgnored = the_clock_of_the_machine_decides,
    ServerClockIgnored = the_time_of_the_server_is_not_read,
}

#[derive(Clone, Debug, Default)]
struct Streams {
    entries: BTreeMap<(String, String), (Source, StreamName, CheckpointEntry)>,
    horizons: BTreeMap<String, PurgeHorizon>,
    saves: BTreeSet<ChangeId>,
}

type Open = Box<dyn Fn(Setup) -> Ready<Store> + Send>;

const CASES: &[Case<Open>] = with_checkpoint_behaviours!(listed_cases checkpoints, Open,);

/// The behaviours that fail on the store with a bug, or without.
pub(crate) fn failed(bug: Option<Bug>) -> Vec<&'static str> {
    failing(CASES, || {
        let shared: Arc<Mutex<Streams>> = Arc::default();
        Box::new(move |setup| {
            let is_shared = bug == Some(Bug::NamespacesShared);
            let streams = if is_shared { Arc::clone(&shared) } else { Arc::default() };
            ready(Store { bug, streams, clock: setup.clock })
        })
    })
}

#[derive(Debug)]
struct Store {
    bug: Option<Bug>,
    streams: Arc<Mutex<Streams>>,
    clock: StoreClock,
}

/// An entry with a field of its checkpoint, or of its own, made another.
fn edited(
    entry: &CheckpointEntry,
    of_checkpoint: bool,
    name: &str,
    value: Value,
) -> CheckpointEntry {
    let mut json = serde_json::to_value(entry).expect("it is JSON");
    let fields = if of_checkpoint { &mut json["checkpoint"] } else { &mut json };
    fields[name] = value;
    serde_json::from_value(json).expect("an entry")
}

impl Store {
    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        let own = match self.bug {
            Some(Bug::ServerClockIgnored) => || Timestamp::MIN,
            _ => Timestamp::now,
        };
        let now = self.clock.explicit_now().unwrap_or_else(own);
        match self.bug {
            Some(Bug::ClockIgnored) => Timestamp::now(),
            Some(Bug::SavedAtInSeconds) => {
                Timestamp::from_millis(now.as_millis() / 1_000 * 1_000).expect("within range")
            }
            _ => now,
        }
    }

    fn slot(&self, source: &Source, stream: &StreamName) -> (String, String) {
        let source = if self.has(Bug::SourcesShared) { "" } else { source.as_str() };
        let stream = match self.bug {
            Some(Bug::StreamsFolded) => stream.as_str().to_lowercase(),
            Some(Bug::StreamsTrimmed) => stream.as_str().trim().to_owned(),
            _ => stream.as_str().to_owned(),
        };
        (source.to_owned(), stream)
    }

    fn horizon_slot(&self, source: &Source) -> String {
        if self.has(Bug::HorizonShared) { String::new() } else { source.to_string() }
    }

    /// Takes a step, in one go unless it is the bug that it is not.
    async fn step<A>(
        &self,
        torn: bool,
        source: &Source,
        stream: &StreamName,
        take: impl FnOnce(Option<CheckpointEntry>, &mut Streams) -> Step<CheckpointEntry, A>,
    ) -> A {
        let slot = self.slot(source, stream);
        let entry = |streams: &Streams| streams.entries.get(&slot).map(|found| found.2.clone());
        let read = entry(&self.streams());
        if torn {
            yield_now().await;
        }
        let mut streams = self.streams();
        let entry = if torn { read } else { entry(&streams) };
        let Step { answer, write } = take(entry, &mut streams);
        if let Some(entry) = write {
            streams.entries.insert(slot, (source.clone(), stream.clone(), entry));
        }
        answer
    }

    fn told(&self, checkpoint: &Checkpoint) -> Checkpoint {
        let mut told = checkpoint.clone();
        let value = told.value.as_ref().map(|value| value.as_value().clone());
        match (self.bug, value) {
            (Some(Bug::NullIsNothing), Some(Value::Null)) => told.value = None,
            (Some(Bug::IntegersAsFloats), Some(Value::Number(number))) => {
                told.value = json!(number.as_f64()).try_into().ok();
            }
            _ => {}
        }
        told
    }

    fn save_step(
        &self,
        entry: Option<CheckpointEntry>,
        request: &SaveCheckpoint,
        streams: &mut Streams,
    ) -> Step<CheckpointEntry, Saved> {
        let there = entry.clone().unwrap_or_default();
        let (mut entry, mut request) = (entry, request.clone());
        let seen = there.checkpoint().clone();
        let known = !streams.saves.insert(request.id);
        match self.bug {
            Some(Bug::SavesUnguarded) => {
                (request.version, request.generation) = (seen.version, seen.generation);
            }
            Some(Bug::VersionIgnored) => request.version = seen.version,
            Some(Bug::GenerationIgnored) => request.generation = seen.generation,
            Some(Bug::RepeatRefused) if known => request.id = ChangeId::random(),
            Some(Bug::RepeatSaves) if known && entry.is_some() => {
                entry = Some(edited(&there, false, "saved_by", json!(null)));
                (request.version, request.generation) = (seen.version, seen.generation);
            }
            Some(Bug::LateCopyIsDone) if known => {
                return Step { answer: Saved::Done(seen), write: None };
            }
            Some(Bug::SameNotSaved) if seen.value.as_ref() == Some(&request.value) => {
                return Step { answer: Saved::Done(seen), write: None };
            }
            _ => {}
        }
        let mut step = CheckpointEntry::save(entry.as_ref(), &request, self.now());
        step.write = step.write.map(|written| match self.bug {
            Some(Bug::SavedAtStays) if seen.saved_at.is_some() => {
                edited(&written, true, "saved_at", json!(seen.saved_at))
            }
            Some(Bug::LateResetResets) => edited(&written, false, "reset_by", json!(null)),
            _ => written,
        });
        if let (Saved::Done(told), Some(written)) = (&mut step.answer, &step.write) {
            *told = written.checkpoint().clone();
        }
        step.answer = match step.answer {
            Saved::Stale(there) if self.has(Bug::StaleIsDone) => Saved::Done(there),
            Saved::Stale(_) if self.has(Bug::StaleUntold) => Saved::Stale(Checkpoint::default()),
            Saved::Stale(there) => Saved::Stale(self.told(&there)),
            Saved::Done(there) => Saved::Done(self.told(&there)),
        };
        step
    }

    fn reset_step(
        &self,
        entry: Option<&CheckpointEntry>,
        id: ChangeId,
    ) -> Step<CheckpointEntry, Checkpoint> {
        let there = entry.cloned().unwrap_or_default();
        let seen = there.checkpoint();
        let id = if self.has(Bug::ResetRepeated) { ChangeId::random() } else { id };
        let mut step = CheckpointEntry::reset(entry, id);
        step.write = step.write.map(|written| match (self.bug, &seen.value) {
            (Some(Bug::ResetKeepsValue), Some(value)) => {
                edited(&written, true, "value", value.as_value().clone())
            }
            (Some(Bug::ResetKeepsInstant), _) => {
                edited(&written, true, "saved_at", json!(seen.saved_at))
            }
            (Some(Bug::ResetKeepsGeneration), _) => {
                edited(&written, true, "generation", json!(seen.generation))
            }
            (Some(Bug::VersionReused), _) => edited(&written, true, "version", json!(0)),
            _ => written,
        });
        if let Some(written) = &step.write {
            step.answer = written.checkpoint().clone();
        }
        step
    }
}

#[async_trait::async_trait]
impl CheckpointStore for Store {
    async fn load(&self, source: &Source, stream: &StreamName) -> Result<Checkpoint> {
        let streams = self.streams();
        let found = streams.entries.get(&self.slot(source, stream));
        Ok(found.map(|found| self.told(found.2.checkpoint())).unwrap_or_default())
    }

    async fn save(&self, request: &SaveCheckpoint) -> Result<Saved> {
        let torn = self.has(Bug::SaveTorn);
        let save = |entry, streams: &mut _| self.save_step(entry, request, streams);
        Ok(self.step(torn, &request.source, &request.stream, save).await)
    }

    async fn reset(
        &self,
        source: &Source,
        stream: &StreamName,
        id: ChangeId,
    ) -> Result<Checkpoint> {
        let torn = self.has(Bug::ResetTorn);
        Ok(self.step(torn, source, stream, |entry, _| self.reset_step(entry.as_ref(), id)).await)
    }

    async fn checkpoints(&self, source: &Source) -> Result<Vec<(StreamName, Checkpoint)>> {
        let everywhere = self.has(Bug::ListedEverywhere) || self.has(Bug::SourcesShared);
        let streams = self.streams();
        let mut listed: Vec<_> = streams
            .entries
            .values()
            .filter(|(of, ..)| everywhere || of == source)
            .map(|(_, stream, entry)| (stream.clone(), self.told(entry.checkpoint())))
            .filter(|(_, there)| there.value.is_some() || !self.has(Bug::ResetNotListed))
            .collect();
        match self.bug {
            Some(Bug::ListedBackwards) => listed.reverse(),
            Some(Bug::ListedFolded) => {
                listed.sort_by_key(|(stream, _)| stream.as_str().to_lowercase());
            }
            _ => {}
        }
        Ok(listed)
    }

    async fn horizon(&self, source: &Source) -> Result<Option<Timestamp>> {
        let slot = self.horizon_slot(source);
        Ok(self.streams().horizons.get(&slot).map(|horizon| horizon.instant()))
    }

    async fn raise_horizon(&self, source: &Source, to: Timestamp) -> Result<Timestamp> {
        let slot = self.horizon_slot(source);
        let read = self.streams().horizons.get(&slot).copied();
        if self.has(Bug::HorizonTorn) {
            yield_now().await;
        }
        let mut streams = self.streams();
        let there = match self.bug {
            Some(Bug::HorizonTorn) => read,
            Some(Bug::HorizonGoesBack) => None,
            _ => streams.horizons.get(&slot).copied(),
        };
        let step = PurgeHorizon::raise(there.as_ref(), to);
        if let Some(horizon) = step.write {
            streams.horizons.insert(slot, horizon);
        }
        Ok(step.answer)
    }
}
