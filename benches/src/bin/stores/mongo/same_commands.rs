//! The store's own commands on the bare driver, with nothing around them but that their names and
//! ids are put in.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use mongodb::Database;
use mongodb::bson::{Bson, Document, doc};
use sync_tracker_benches::Failure;
use sync_tracker_benches::contest::{Contestant, Done};
use sync_tracker_benches::population::Population;
use sync_tracker_benches::workload::Workload;

use super::sent::Sent;

/// How many commands of one call are on their way at the same time.
const AT_ONCE: usize = 16;

#[derive(Debug)]
pub(crate) struct SameCommands {
    database: Database,
    population: Population,
    sent: Arc<Sent>,
}

impl SameCommands {
    pub(crate) fn new(database: Database, population: Population, sent: Arc<Sent>) -> Self {
        Self { database, population, sent }
    }

    /// How many documents came back.
    async fn send(&self, command: Document) -> Result<usize, Failure> {
        let answer = self.database.run_command(command).await?;
        if let Some(Bson::Document(_)) = answer.get("value") {
            return Ok(1);
        }
        let Ok(cursor) = answer.get_document("cursor") else { return Ok(0) };
        let mut documents = cursor.get_array("firstBatch")?.len();
        let collection = cursor.get_str("ns")?.split_once('.').map(|it| it.1);
        let mut id = cursor.get_i64("id")?;
        while id != 0 {
            let more = doc! { "getMore": id, "collection": collection };
            let answer = self.database.run_command(more).await?;
            let cursor = answer.get_document("cursor")?;
            documents += cursor.get_array("nextBatch")?.len();
            id = cursor.get_i64("id")?;
        }
        Ok(documents)
    }
}

#[async_trait]
impl Contestant for SameCommands {
    async fn call(
        &self,
        _caller: usize,
        workload: Workload,
        numbers: &[usize],
    ) -> Result<Done, Failure> {
        let commands = self.sent.commands(&self.population, workload, numbers)?;
        let mut records = 0;
        // One after the other, unless they are many of a kind, which the store sends so, too.
        let is_alike = commands.iter().all(|it| it.keys().next() == commands[0].keys().next());
        let at_once = if is_alike { AT_ONCE } else { 1 };
        let mut sent = stream::iter(commands.into_iter().map(|it| self.send(it))).buffered(at_once);
        while let Some(documents) = sent.next().await {
            records += documents?;
        }
        if numbers.is_empty() {
            records = records.min(workload.batch);
        }
        if records < numbers.len() {
            return Err(format!("{workload}: {records} of {} documents", numbers.len()).into());
        }
        Ok(Done::records(records))
    }
}
