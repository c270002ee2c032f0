//! Compares a store with what was acknowledged.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sync_tracker::{
    AnyStore, CheckpointStore, Error, Handled, Inbox, StreamName, SyncStore, Tracker,
};

use crate::acks::{Acked, Entity};
use crate::writer::{SOURCE, entity_ref, name};

/// What became of the writes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Acknowledged writes that are not there.
    pub lost: u64,
    /// What is not as it was told, in words.
    pub differences: Vec<String>,
    /// Those among them that no loss explains: what an index says and a record does not, or the
    /// other way round.
    pub dangling: Vec<String>,
    /// Writes that are there although nobody was told.
    pub unknown_but_applied: u64,
}

/// Looks for every acknowledged write of a store that nobody uses, and, of each writer, for traces
/// of the entity after the last.
///
/// # Errors
///
/// Those of the store.
pub async fn check(store: &Arc<dyn AnyStore>, acked: &Acked) -> Result<Found, Error> {
    let mut found = Found::default();
    for (&(writer, entity), told) in &acked.entities {
        found.compare(store, (writer, entity), *told).await?;
        // What comes after the last may have been begun.
        if !acked.entities.contains_key(&(writer, entity + 1)) {
            found.compare(store, (writer, entity + 1), Entity::default()).await?;
        }
    }
    for writer in acked.entities.keys().map(|(writer, _)| *writer).collect::<BTreeSet<_>>() {
        // The first is at 0, so one more was told.
        let told = acked.checkpoints.get(&writer).map_or(0, |at| u64::from(*at) + 1);
        let (source, stream) = (SOURCE.try_into()?, StreamName::new(writer.to_string())?);
        let value = store.load(&source, &stream).await?.value;
        let there = value.map(|value| value.to::<u32>()).transpose()?;
        let there = there.map_or(0, |at| u64::from(at) + 1);
        found.one(&format!("checkpoint of {writer}"), told, there);
    }
    let discrepancies = store.verify().await?;
    for discrepancy in discrepancies {
        found.dangles(format!("{discrepancy:?}"));
    }
    Ok(found)
}

impl Found {
    async fn compare(
        &mut self,
        store: &Arc<dyn AnyStore>,
        (writer, entity): (u32, u32),
        told: Entity,
    ) -> Result<(), Error> {
        let id = name(writer, entity);
        let tracker = Tracker::new(Arc::clone(store));
        let record = tracker.record(&entity_ref(writer, entity)?, SOURCE).await?;
        let (revision, synced) = record
            .as_ref()
            .map_or((0, 0), |record| (record.revision.get(), record.synced_revision.get()));
        let probe = async || Err::<_, ()>(());
        let inbox = Inbox::new(Arc::clone(store));
        let handled = inbox.once(SOURCE, id.as_str(), probe).await?;
        let handled = matches!(handled, Handled::Before(_));

        self.one(&format!("revision of {id}"), told.revision, revision);
        self.one(&format!("success of {id}"), (told.synced > 0).into(), (synced > 0).into());
        self.one(&format!("message {id}"), told.handled.into(), handled.into());
        if told.synced > 0 {
            let by_id = tracker.by_external_id(SOURCE, "thing", id.as_str()).await?;
            let has_id = record.as_ref().is_some_and(|record| record.external_id.is_some());
            let dangles = by_id.is_some() || has_id;
            if by_id.map(|found| found.key) != record.map(|record| record.key) {
                let problem = format!("{id} is not found by its external id");
                if dangles { self.dangles(problem) } else { self.differences.push(problem) }
            }
        }
        Ok(())
    }

    fn dangles(&mut self, problem: String) {
        self.differences.push(problem.clone());
        self.dangling.push(problem);
    }

    /// Compares how many writes were told with how many are there.
    fn one(&mut self, what: &str, told: u64, there: u64) {
        if there < told {
            self.lost += told - there;
            self.differences.push(format!("{what}: {told} was told, {there} is there"));
        }
        self.unknown_but_applied += there.saturating_sub(told);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acks::{Ack, Write};
    use crate::writer::write;
    use std::io;

    /// What a writer told until it could tell no more, and the store it wrote to.
    async fn written(acks: usize) -> (Arc<dyn AnyStore>, Vec<Ack>) {
        let store = sync_tracker::open("memory:").await.unwrap();
        let mut told = Vec::new();
        let tell = |ack| {
            if told.len() == acks {
                return Err(io::Error::other("killed"));
            }
            told.push(ack);
            Ok(())
        };
        write(Arc::clone(&store), 0, tell).await.unwrap_err();
        (store, told)
    }

    async fn found(store: &Arc<dyn AnyStore>, told: &[Ack]) -> Found {
        let mut acked = Acked::default();
        told.iter().for_each(|ack| acked.add(*ack));
        check(store, &acked).await.unwrap()
    }

    #[tokio::test]
    async fn what_was_applied_and_not_told_is_counted_wherever_a_writer_is_killed() {
        for acks in 1..20 {
            let (store, told) = written(acks).await;
            let whole = Found { unknown_but_applied: 1, ..Found::default() };
            assert_eq!(found(&store, &told).await, whole, "{acks}");
        }
    }

    #[tokio::test]
    async fn each_write_that_is_missing_is_counted_as_lost() {
        let (_, told) = written(10).await;
        let (empty, _) = written(0).await;
        assert_eq!(found(&empty, &told).await.lost, 9, "all but the first");
        for (entity, write) in [
            (0, Write::Revision(3)),
            (2, Write::Synced(1)),
            (1, Write::Handled),
            (1, Write::Checkpoint),
        ] {
            let (store, mut told) = written(6).await;
            assert_eq!(found(&store, &told).await.lost, 0);
            told.push(Ack { writer: 0, entity, write });
            let found = found(&store, &told).await;
            assert_eq!((found.lost, found.differences.is_empty()), (1, false), "{write:?}");
        }
    }
}
