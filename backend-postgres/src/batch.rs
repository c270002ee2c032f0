//! Many changes at once: one statement for those of one shape.

use std::collections::{HashMap, HashSet};

use sync_tracker_core::{
    AliasesOp, Change, Error, ErrorKind, ExternalId, ExternalIdOp, Key, Outcome, Result, SyncStore,
};

use crate::apply::{Answer, Way};
use crate::compose::Target;
use crate::error::{Effect, Failed, STORE};
use crate::store::{PostgresStore, TRIES, crowded, named};
use crate::value::{Kind, Value, change_id};

/// How many changes one statement carries.
const LARGEST: usize = 1_000;

type Items = [(Key, Change)];

/// The indexes of the items in waves: within one, no two are of the same key, nor bring the same
/// external id. Waves are carried out one after the other.
fn waves(items: &Items) -> Vec<Vec<usize>> {
    let mut waves: Vec<Vec<usize>> = Vec::new();
    let mut next_of_key: HashMap<&Key, usize> = HashMap::new();
    let mut next_of_id: HashMap<&ExternalId, usize> = HashMap::new();
    for (index, (key, change)) in items.iter().enumerate() {
        let ids: HashSet<_> = brought(change).collect();
        let after_id = ids.iter().filter_map(|id| next_of_id.get(id)).max().copied();
        let wave = next_of_key.get(key).copied().max(after_id).unwrap_or_default();
        next_of_key.insert(key, wave + 1);
        for id in ids {
            next_of_id.insert(id, wave + 1);
        }
        if waves.len() <= wave {
            waves.resize_with(wave + 1, Vec::new);
        }
        if let Some(members) = waves.get_mut(wave) {
            members.push(index);
        }
    }
    waves
}

/// Those of one shape together, in the order of the first of each.
fn groups(items: &Items, wave: &[usize]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut group_of = HashMap::new();
    for index in wave {
        let Some((_, change)) = items.get(*index) else { continue };
        let group = *group_of.entry(change.shape()).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        if let Some(members) = groups.get_mut(group) {
            members.push(*index);
        }
    }
    groups
}

/// The external ids that a change may bring to its record.
fn brought(change: &Change) -> impl Iterator<Item = &ExternalId> {
    change.arms().iter().flat_map(|arm| {
        let own = match &arm.then.external_id {
            ExternalIdOp::Set(id) | ExternalIdOp::Supersede(id) => Some(id),
            ExternalIdOp::Keep | ExternalIdOp::Clear => None,
        };
        let alias = match &arm.then.aliases {
            AliasesOp::Add(id) => Some(id),
            AliasesOp::Keep => None,
        };
        own.into_iter().chain(alias)
    })
}

impl PostgresStore {
    pub(crate) async fn apply_batch(&self, items: &Items) -> Vec<Result<Outcome>> {
        let mut outcomes: Vec<Option<Result<Outcome>>> = Vec::new();
        outcomes.resize_with(items.len(), || None);
        for wave in waves(items) {
            for group in groups(items, &wave) {
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
                if let (Some((key, change)), Some(outcome)) =
                    (items.get(index), outcomes.get_mut(index))
                {
                    *outcome = Some(self.apply(key, change).await);
                }
                return;
            }
            let members: Vec<_> = open.iter().filter_map(|index| items.get(*index)).collect();
            let answers = match self.send(&members).await {
                Ok(answers) => answers,
                Err(failed) if failed.again => continue,
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
