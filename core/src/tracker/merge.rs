//! External ids that were merged in the remote.

use super::Tracker;
use crate::change::{Change, Outcome, Refusal};
use crate::error::{Error, ErrorKind, Result};
use crate::events::Transition;
use crate::key::{EntityRef, EntityType, ExternalId, Key, Source};
use crate::observation::Via;
use crate::record::SyncRecord;
use crate::rules::merge;

/// What became of one id that was merged into another.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a collision has to be resolved"]
pub enum Merged {
    /// It leads to the winner's record, as an alias.
    Alias(EntityRef),
    /// It did so already.
    Already(EntityRef),
    /// Neither id leads to a record: there is nothing to note.
    Untracked,
    /// Each id is that of another entity, so two entities claim one object. A conflict is open on
    /// both. Delete or forget one of them, or bind it to another id, and merge again.
    Collision {
        /// The entity of the id that was merged away.
        loser: EntityRef,
        /// The entity of the id that remains.
        winner: EntityRef,
    },
    /// The winner was itself merged into the loser before: a circle.
    Circle(EntityRef),
    /// The loser was merged into another id before.
    MergedBefore {
        /// The entity.
        entity: EntityRef,
        /// Its external id.
        into: Option<ExternalId>,
    },
    /// The record has [as many aliases](SyncRecord::MAX_ALIASES) as it may have.
    TooManyAliases(EntityRef),
}

/// One step of a merge: done, or to be looked at again.
enum Step {
    Done(Merged),
    Again,
}

impl Tracker {
    /// In the source, these ids were merged into the winner, which is the id of the object from now
    /// on: each still leads to its record, as an alias. Chains are flat: every id leads straight to
    /// the record. What became of each, in their order.
    ///
    /// Repeating it, or telling the same merge twice, changes nothing.
    ///
    /// # Errors
    ///
    /// As the store's [`apply`](crate::SyncStore::apply); losers before it may be merged. Or
    /// [`Invalid`](crate::ErrorKind::Invalid), also if the winner is among the losers.
    pub async fn merge_external<X: TryInto<ExternalId, Error: Into<Error>>>(
        &self,
        source: impl TryInto<Source, Error: Into<Error>>,
        entity_type: impl TryInto<EntityType, Error: Into<Error>>,
        losers: impl IntoIterator<Item = X>,
        winner: impl TryInto<ExternalId, Error: Into<Error>>,
    ) -> Result<Vec<Merged>> {
        let source = source.try_into().map_err(Into::into);
        let entity_type = entity_type.try_into().map_err(Into::into);
        let winner = winner.try_into().map_err(Into::into);
        let losers = losers.into_iter().map(|id| id.try_into().map_err(Into::into));
        let losers = losers.collect::<Result<Vec<ExternalId>>>();
        let (source, entity_type, winner, losers) = (source?, entity_type?, winner?, losers?);
        let mut merged = Vec::with_capacity(losers.len());
        if losers.contains(&winner) {
            return Err(Error::invalid("merged ids", "contain the winner", "other ids than it"));
        }
        for loser in &losers {
            merged.push(self.merge_one(&source, &entity_type, loser, &winner).await?);
        }
        Ok(merged)
    }

    async fn merge_one(
        &self,
        source: &Source,
        entity_type: &EntityType,
        loser: &ExternalId,
        winner: &ExternalId,
    ) -> Result<Merged> {
        const TRIES: usize = 16;
        for _ in 0..TRIES {
            let ids = [loser.clone(), winner.clone()];
            let found = self.store.by_external_ids(source, entity_type, &ids).await?;
            // A tombstone holds nothing, so its ids are free.
            let mut holders =
                found.into_iter().map(|found| found.filter(SyncRecord::holds_external_ids));
            let (of_loser, of_winner) = (holders.next().flatten(), holders.next().flatten());
            let step = match (of_loser, of_winner) {
                (None, None) => return Ok(Merged::Untracked),
                (Some(record), None) if record.via(loser) == Some(Via::Alias) => {
                    merged_before(record)
                }
                (Some(record), None) => {
                    self.alias(&record.key, merge::supersede(&record, winner)).await?
                }
                (None, Some(record)) => {
                    self.alias(&record.key, merge::add_alias(&record, loser)).await?
                }
                (Some(one), Some(other)) if one.key == other.key => {
                    let entity = one.key.entity.clone();
                    return Ok(match one.via(loser) {
                        Some(Via::ExternalId) => Merged::Circle(entity),
                        _ => Merged::Already(entity),
                    });
                }
                (Some(one), Some(_)) if one.via(loser) == Some(Via::Alias) => merged_before(one),
                (Some(one), Some(other)) => self.collide(&one, &other).await?,
            };
            if let Step::Done(merged) = step {
                return Ok(merged);
            }
        }
        Err(Error::new(ErrorKind::Unavailable, "the records kept changing while ids were merged")
            .in_operation("merge external"))
    }

    async fn alias(&self, key: &Key, change: Change) -> Result<Step> {
        let outcome = self.apply(key, &change, Some(Transition::ExternalIdsMerged)).await?;
        let entity = key.entity.clone();
        Ok(match outcome.refusal() {
            None => Step::Done(Merged::Alias(entity)),
            Some(Refusal::TooManyAliases) => Step::Done(Merged::TooManyAliases(entity)),
            Some(_) => Step::Again,
        })
    }

    /// Opens the conflict on both. What one crash leaves undone, the next telling completes.
    async fn collide(&self, one: &SyncRecord, other: &SyncRecord) -> Result<Step> {
        for record in [one, other] {
            let change = merge::collide(record);
            let event = Some(Transition::ConflictOpened).filter(|_| record.conflict.is_none());
            if let Outcome::Refused(_) = self.apply(&record.key, &change, event).await? {
                return Ok(Step::Again);
            }
        }
        let (loser, winner) = (one.key.entity.clone(), other.key.entity.clone());
        Ok(Step::Done(Merged::Collision { loser, winner }))
    }
}

fn merged_before(record: SyncRecord) -> Step {
    Step::Done(Merged::MergedBefore { entity: record.key.entity, into: record.external_id })
}
