//! Many changes at once: one script for those of one shape and source, and many scripts on their
//! way at the same time.

use futures_util::future::join_all;
use sync_tracker_core::{Change, Error, ErrorKind, Key, Outcome, Result, SyncStore, alike, waves};

use crate::compose::Target;
use crate::error::STORE;
use crate::store::RedisStore;

/// How many changes one script carries: more would keep the server from others for longer than a
/// millisecond. If they are large it carries fewer, of [so many bytes](crate::lua::MOST_BYTES).
const LARGEST: usize = 50;
/// How many scripts are on their way at the same time.
const AT_ONCE: usize = 20;

type Items = [(Key, Change)];

impl RedisStore {
    pub(crate) async fn apply_batch(&self, items: &Items) -> Vec<Result<Outcome>> {
        let mut outcomes: Vec<Option<Result<Outcome>>> = Vec::new();
        outcomes.resize_with(items.len(), || None);
        for wave in waves(items) {
            let of_one_script =
                |index: usize| items.get(index).map(|(key, change)| (&key.source, change.shape()));
            let groups = alike(&wave, of_one_script);
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
        let mut outcomes: Vec<Result<Outcome>> = Vec::with_capacity(members.len());
        while let Some(rest @ [_, ..]) = members.get(outcomes.len()..) {
            match self.apply_first_of(rest).await {
                Ok(first) => outcomes.extend(first),
                // One item may have spoilt it for the others, of which nothing was written.
                Err(error) if !error.is_retryable() && rest.len() > 1 => {
                    let each = rest.iter().map(|(key, change)| self.apply(key, change));
                    outcomes.extend(join_all(each).await);
                }
                Err(error) => {
                    let copy = || Error::new(error.kind(), error.to_string()).in_store(STORE);
                    outcomes.extend(rest.iter().map(|_| Err(copy())));
                }
            }
        }
        let named = |(key, _): &(&Key, &Change), outcome: Result<Outcome>| {
            outcome.map_err(|error| error.in_operation("apply many").for_key(key))
        };
        let outcomes = members.iter().zip(outcomes).map(|(item, outcome)| named(item, outcome));
        chunk.iter().copied().zip(outcomes).collect()
    }

    /// Applies so many of them as one script carries, one at least.
    async fn apply_first_of(&self, items: &[(&Key, &Change)]) -> Result<Vec<Result<Outcome>>> {
        let Some((key, change)) = items.first() else { return Ok(Vec::new()) };
        let prepared = self.scripts.of(change, Target::Keys);
        if prepared.may_create {
            self.register(key).await?;
        }
        self.apply_to_source(&key.source, &prepared, items).await
    }
}
