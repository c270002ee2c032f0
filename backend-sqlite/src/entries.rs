//! Entries of the inbox and of checkpoints: each is read, takes a step and is written.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::{Row, SqliteConnection, query};
use sync_tracker_core::{Result, Step};

use crate::error::before_commit;
use crate::row::{from_json, to_json};

/// A table of JSON by a source and a name within it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table {
    pub(crate) get: &'static str,
    pub(crate) put: &'static str,
}

impl Table {
    pub(crate) async fn get<E: DeserializeOwned>(
        self,
        on: &mut SqliteConnection,
        [source, name]: [&str; 2],
    ) -> Result<Option<E>> {
        let statement = query(self.get).bind(source).bind(name);
        let Some(row) = statement.fetch_optional(on).await.map_err(before_commit)? else {
            return Ok(None);
        };
        from_json(row.try_get(0).map_err(before_commit)?).map(Some)
    }

    /// Takes a step within a transaction.
    pub(crate) async fn step<E: DeserializeOwned + Serialize, A>(
        self,
        on: &mut SqliteConnection,
        name: [&str; 2],
        take: impl FnOnce(Option<&E>) -> Step<E, A>,
    ) -> Result<A> {
        let entry = self.get(on, name).await?;
        let Step { answer, write } = take(entry.as_ref());
        if let Some(entry) = write {
            let [source, name] = name;
            let statement = query(self.put).bind(source).bind(name).bind(to_json(&entry)?);
            statement.execute(on).await.map_err(before_commit)?;
        }
        Ok(answer)
    }
}
