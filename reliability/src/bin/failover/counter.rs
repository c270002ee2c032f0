//! A count that no lost reply may spoil.

use std::io;
use std::sync::Arc;

use sync_tracker::{
    AnyStore, EntityRef, Error, ErrorKind, FailureNote, Outcome, SyncStore, Tracker,
};
use sync_tracker_reliability::writer::{PATIENCE, SOURCE};

fn entity(counter: u32) -> Result<EntityRef, Error> {
    EntityRef::new("counter", counter)
}

/// Counts failed attempts of an entity until there is an error, and tells each.
///
/// # Errors
///
/// The first of the store, or of `tell`.
pub(crate) async fn count(
    store: Arc<dyn AnyStore>,
    counter: u32,
    mut tell: impl FnMut() -> io::Result<()>,
) -> Result<(), Error> {
    let tracker = Tracker::new(store).with_deadline(PATIENCE);
    let entity = entity(counter)?;
    loop {
        let note = FailureNote::transient("counted");
        if let Outcome::Refused(refused) = tracker.mark_failed(&entity, SOURCE, note).await? {
            let met = format!("a counter met {refused:?}");
            return Err(Error::new(ErrorKind::Internal, met));
        }
        tell().map_err(|error| Error::new(ErrorKind::Internal, format!("cannot tell: {error}")))?;
    }
}

/// What the store has counted.
pub(crate) async fn counted(store: &Arc<dyn AnyStore>, counter: u32) -> Result<u64, Error> {
    let record = store.get(&entity(counter)?.in_source(&SOURCE.try_into()?)).await?;
    Ok(record.map_or(0, |record| record.attempts.into()))
}
