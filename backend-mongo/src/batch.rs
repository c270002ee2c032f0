//! Many changes at once: each is a command of its own, and many are on their way at the same time.

use std::collections::HashMap;

use futures_util::{StreamExt, stream};
use sync_tracker_core::{Change, Error, ErrorKind, Key, Outcome, Result};

use crate::error::STORE;
use crate::store::MongoStore;

/// How many commands are on their way at the same time. The driver has ten connections by default.
pub(crate) const AT_ONCE: usize = 16;

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

impl MongoStore {
    pub(crate) async fn apply_batch(&self, items: &Items) -> Vec<Result<Outcome>> {
        let mut outcomes: Vec<Option<Result<Outcome>>> = Vec::new();
        outcomes.resize_with(items.len(), || None);
        for wave in waves(items) {
            let members = wave.into_iter().filter_map(|index| Some((index, items.get(index)?)));
            let calls: Vec<_> = members.map(|(index, item)| self.apply_item(index, item)).collect();
            let mut answered = stream::iter(calls).buffer_unordered(AT_ONCE);
            while let Some((index, outcome)) = answered.next().await {
                if let Some(place) = outcomes.get_mut(index) {
                    *place = Some(outcome);
                }
            }
        }
        let unanswered =
            || Err(Error::new(ErrorKind::Internal, "an item has no outcome").in_store(STORE));
        outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(unanswered)).collect()
    }

    async fn apply_item(
        &self,
        index: usize,
        (key, change): &(Key, Change),
    ) -> (usize, Result<Outcome>) {
        let applied = self.apply_one(key, change).await;
        (index, applied.map_err(|error| error.in_operation("apply many").for_key(key)))
    }
}
