//! Writes as applications do, and says what was acknowledged.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use sync_tracker::{
    AnyStore, Checkpoints, EntityRef, Error, ErrorKind, Handled, Inbox, JsonValue, Outcome, Saved,
    Tracker,
};

use crate::acks::{Ack, Write};

/// The source of every record.
pub const SOURCE: &str = "remote";

/// How long a call may take: longer than any outage of a campaign whose writers go on.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What a writer calls one of its entities, its message, and its stream.
#[must_use]
pub fn name(writer: u32, entity: u32) -> String {
    format!("{writer}-{entity}")
}

/// The entity of a record.
///
/// # Errors
///
/// None, as names are within the limits.
pub fn entity_ref(writer: u32, entity: u32) -> Result<EntityRef, Error> {
    EntityRef::new("thing", name(writer, entity))
}

/// Writes until there is an error, and tells each acknowledgement: entity after entity is created,
/// synced, and updated, its message handled, and the checkpoint moved to it.
///
/// # Errors
///
/// The first of the store, or of `tell`.
pub async fn write(
    store: Arc<dyn AnyStore>,
    writer: u32,
    mut tell: impl FnMut(Ack) -> io::Result<()>,
) -> Result<(), Error> {
    let tracker = Tracker::new(Arc::clone(&store)).with_deadline(PATIENCE);
    let tracker = tracker.with_sources("thing", [SOURCE])?;
    let inbox = Inbox::new(Arc::clone(&store)).with_deadline(PATIENCE);
    let checkpoints = Checkpoints::new(store).with_deadline(PATIENCE);
    let mut run = checkpoints.begin(SOURCE, writer.to_string()).await?;
    for entity in 0.. {
        let mut tell = |write| {
            tell(Ack { writer, entity, write })
                .map_err(|error| Error::new(ErrorKind::Internal, format!("cannot tell: {error}")))
        };
        let thing = entity_ref(writer, entity)?;
        for outcome in tracker.created(&thing).await? {
            tell(Write::Revision(revision(&outcome.outcome)?))?;
        }
        let id = name(writer, entity);
        let synced = tracker.mark_synced(&thing, SOURCE).external_id(id.as_str()).await?;
        tell(Write::Synced(revision(&synced)?))?;
        for outcome in tracker.updated(&thing).await? {
            tell(Write::Revision(revision(&outcome.outcome)?))?;
        }
        let handler = async || JsonValue::of(&entity);
        match inbox.once(SOURCE, id.as_str(), handler).await? {
            Handled::Now(_) => tell(Write::Handled)?,
            other => return Err(unexpected(&other)),
        }
        match run.advance(JsonValue::of(&entity)?).await? {
            Saved::Done(_) => tell(Write::Checkpoint)?,
            Saved::Stale(_) => return Err(unexpected(&"a stale checkpoint")),
        }
    }
    Ok(())
}

/// Tells acknowledgements on standard output, each by one call of the system: when it returns, the
/// line outlives the process.
///
/// # Errors
///
/// As writing to standard output.
pub fn tell_on_stdout(ack: Ack) -> io::Result<()> {
    let mut line = serde_json::to_vec(&ack)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}

fn revision(outcome: &Outcome) -> Result<u64, Error> {
    match outcome {
        Outcome::Applied(applied) => Ok(applied.record.revision.get()),
        Outcome::Refused(refused) => Err(unexpected(refused)),
    }
}

fn unexpected(what: &impl std::fmt::Debug) -> Error {
    Error::new(ErrorKind::Internal, format!("a writer alone with its entities met {what:?}"))
}
