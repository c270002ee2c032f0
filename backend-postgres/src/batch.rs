//! Many changes at once: one statement for those of one shape.

use std::collections::HashMap;

use sync_tracker_core::{Change, Error, ErrorKind, Key, Outcome, Result, SyncStore, alike, waves};

use crate::apply::{Answer, Way};
use crate::compose::Target;
use crate::error::{Effect, Failed, STORE};
use crate::store::{PostgresStore, TRIES, crowded, named};
use crate::value::{Kind, Value, change_id};

/// How many changes one statement carries.
const LARGEST: usize = 1_000;

type Items = [(Key, Change)];

impl PostgresStore {
    pub(crate) async fn apply_batch(&self, items: &Items) -> Vec<Result<Outcome>> {
        let mut outcomes: Vec<Option<Result<Outcome>>> = Vec::new();
        outcomes.resize_with(items.len(), || None);
        for wave in waves(items) {
            for group in alike(&wave, |index| items.get(index).map(|(_, change)| change.shape())) {
                for chunk in group.chunks(LARGEST) {
                    self.apply_group(items, chunk, &mut outcomes).await;
                }
            }
        }
        let unanswered =
            || Err(Error::new(ErrorKind::Internal, "an item has no outcome").in_store(STORE));
        outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(unanswered)).collect()
    }

    /// Applies changes of one shape to as many keys, and notes the outcomes.
    async fn apply_group(
        &self,
        items: &Items,
        indexes: &[usize],
        outcomes: &mut [Option<Result<Outcome>>],
    ) {
        let mut open: Vec<usize> = indexes.to_vec();
        for _ in 0..TRIES {
            if let [index] = open[..] {
                // Alone, it needs no arrays.
                return self.apply_item(items, index, outcomes).await;
            }
            let members: Vec<_> = open.iter().filter_map(|index| items.get(*index)).collect();
            let answers = match self.send(&members).await {
                Ok(answers) => answers,
                Err(failed) if failed.again => continue,
                // One of them may have spoilt it for the others. What was applied says so.
                Err(failed) if !failed.error.is_retryable() => {
                    for index in open {
                        self.apply_item(items, index, outcomes).await;
                    }
                    return;
                }
                Err(failed) => return fail(items, &open, outcomes, &failed),
            };
            let mut left = Vec::new();
            for ((index, (key, change)), answer) in open.iter().zip(&members).zip(answers) {
                let met = answer.is_none() && self.statements.of(change, Target::Many).may_create;
                if met {
                    left.push(*index);
                    continue;
                }
                let mut way = Way::Ours(&self.connections);
                let outcome = self.outcome(&mut way, key, change, answer).await;
                if let Some(place) = outcomes.get_mut(*index) {
                    *place =
                        Some(outcome.map_err(|failed| named("apply many")(failed).for_key(key)));
                }
            }
            open = left;
            if open.is_empty() {
                return;
            }
        }
        fail(items, &open, outcomes, &crowded().into());
    }

    async fn apply_item(
        &self,
        items: &Items,
        index: usize,
        outcomes: &mut [Option<Result<Outcome>>],
    ) {
        if let (Some((key, change)), Some(outcome)) = (items.get(index), outcomes.get_mut(index)) {
            *outcome = Some(self.apply(key, change).await);
        }
    }

    async fn send(&self, members: &[&(Key, Change)]) -> Result<Vec<Option<Answer>>, Failed> {
        let Some((_, first)) = members.first() else { return Ok(Vec::new()) };
        let prepared = self.statements.of(first, Target::Many);
        let keys = || members.iter().map(|(key, _)| key);
        let sources: Vec<_> = keys().map(|key| key.source.as_str()).collect();
        let types: Vec<_> = keys().map(|key| key.entity.entity_type.as_str()).collect();
        let ids: Vec<_> = keys().map(|key| key.entity.entity_id.as_str()).collect();
        let changes: Vec<_> = members.iter().map(|(_, change)| change_id(change.id())).collect();
        let mut query = prepared.text.query();
        query = query.bind(self.clock()).bind(sources).bind(types).bind(ids).bind(changes);
        for param in &prepared.params {
            let values = members.iter().map(|(_, change)| param.of(change));
            query = match param.kind {
                Kind::Text => {
                    let texts: Vec<Option<String>> = values
                        .map(|value| match value {
                            Value::Text(text) => text.map(Into::into),
                            Value::Int(_) => None,
                        })
                        .collect();
                    query.bind(texts)
                }
                Kind::Int => {
                    let numbers: Vec<Option<i64>> = values
                        .map(|value| match value {
                            Value::Int(number) => number,
                            Value::Text(_) => None,
                        })
                        .collect();
                    query.bind(numbers)
                }
            };
        }
        let rows = self.connections.fetch(query, Effect::Write).await?;
        let mut answers: Vec<Option<Answer>> = Vec::new();
        answers.resize_with(members.len(), || None);
        let places: HashMap<&Key, usize> = keys().zip(0..).collect();
        for row in &rows {
            let answer = Answer::read(row)?;
            let place = places.get(&answer.record.key);
            if let Some(free) = place.and_then(|place| answers.get_mut(*place)) {
                *free = Some(answer);
            }
        }
        Ok(answers)
    }
}

/// The statement failed, and so did each of its items.
fn fail(
    items: &Items,
    indexes: &[usize],
    outcomes: &mut [Option<Result<Outcome>>],
    failed: &Failed,
) {
    for index in indexes {
        if let (Some((key, _)), Some(outcome)) = (items.get(*index), outcomes.get_mut(*index)) {
            let error = Error::new(failed.error.kind(), failed.error.to_string());
            *outcome = Some(Err(error.in_store(STORE).in_operation("apply many").for_key(key)));
        }
    }
}
