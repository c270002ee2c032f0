//! Many changes at once: one script for those of one shape and source, and many scripts on their
//! way at the same time.

use std::collections::HashMap;

use futures_util::future::join_all;
use sync_tracker_core::{Change, Error, ErrorKind, Key, Outcome, Result, SyncStore};

use crate::compose::Target;
use crate::error::STORE;
use crate::store::RedisStore;

/// How many changes one script carries: more would keep the server from others for longer than a
/// millisecond.
const LARGEST: usize = 50;
/// How many scripts are on their way at the same time.
const AT_ONCE: usize = 20;

type Items = [(Key, Change)];

/// The indexes of the items in waves: within one, no two are of the same key. Waves are carried out
/// one after the other.
fn waves(items: &Items) -> Vec<Vec<usize>> {
    let mut waves: Vec<Vec<usize>> = Vec::new();
    let mut next_of_key: HashMap<&Key, usize> = HashMap::new();
    for (index, (key, _)) in items.iter().enumerate() {
        let next = next_of_key.entry(key).or_default();
        if waves.len() <= *next {
            waves.resize_with(*next + 1, Vec::new);
        }
        if let Some(members) = waves.get_mut(*next) {
            members.push(index);
        }
        *next += 1;
    }
    waves
}

/// Those of one source and shape together, in the order of the first of each.
fn groups(items: &Items, wave: &[usize]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut group_of = HashMap::new();
    for index in wave {
        let Some((key, change)) = items.get(*index) else { continue };
        let group = *group_of.entry((&key.source, change.shape())).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        if let Some(members) = groups.get_mut(group) {
            members.push(*index);
        }
    }
    groups
}

impl RedisStore {
    pub(crate) async fn apply_batch(&self, items: &Items) -> Vec<Result<Outcome>> {
        let mut outcomes: Vec<Option<Result<Outcome>>> = Vec::new();
        outcomes.resize_with(items.len(), || None);
        for wave in waves(items) {
            let groups = groups(items, &wave);
            let chunks: Vec<_> = groups.iter().flat_map(|group| group.chunks(LARGEST)).collect();
            for at_once in chunks.chunks(AT_ONCE) {
                let calls = at_once.iter().map(|chunk| self.apply_chunk(items, chunk));
                for (index, outcome) in join_all(calls).await.into_iter().flatten() {
                    if let Some(place) = outcomes.get_mut(index) {
                        *place = Some(outcome);
                    }
                }
            }
        }
        let unanswered =
            || Err(Error::new(ErrorKind::Internal, "an item has no outcome").in_store(STORE));
        outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(unanswered)).collect()
    }

    async fn apply_chunk(&self, items: &Items, chunk: &[usize]) -> Vec<(usize, Result<Outcome>)> {
        let members: Vec<_> = chunk
            .iter()
            .filter_map(|index| items.get(*index))
            .map(|(key, change)| (key, change))
            .collect();
        let sent = async {
            let Some((key, change)) = members.first() else { return Ok(Vec::new()) };
            let prepared = self.scripts.of(change, Target::Keys);
            if prepared.may_create {
                self.register(key).await?;
            }
            self.apply_to_source(&key.source, &prepared, &members).await
        };
        let outcomes = match sent.await {
            Ok(outcomes) => outcomes,
            // One item may have spoilt it for the others, of which nothing was written.
            Err(error) if !error.is_retryable() && members.len() > 1 => {
                join_all(members.iter().map(|(key, change)| self.apply(key, change))).await
            }
            Err(error) => {
                let copy = || Error::new(error.kind(), error.to_string()).in_store(STORE);
                members.iter().map(|_| Err(copy())).collect()
            }
        };
        let named = |(key, _): &(&Key, &Change), outcome: Result<Outcome>| {
            outcome.map_err(|error| error.in_operation("apply many").for_key(key))
        };
        let outcomes = members.iter().zip(outcomes).map(|(item, outcome)| named(item, outcome));
        chunk.iter().copied().zip(outcomes).collect()
    }
}
