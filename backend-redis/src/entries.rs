//! Small entries, each packed in a hash of its source.

use redis::Value;
use sync_tracker_core::{ChangeId, Error, ErrorKind, JsonValue, Result};

use crate::answer;
use crate::error::{Effect, STORE, error, unexpected};
use crate::scripts::Script;
use crate::server::Call;
use crate::store::RedisStore;
use crate::value::change_id;

/// How many entries one call scans, more or less.
const SCANNED: usize = 100;

/// Where an entry is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) key: &'a str,
    pub(crate) field: &'a [u8],
}

pub(crate) fn corrupt() -> Error {
    error(ErrorKind::Corrupt, "an entry does not decode")
}

/// JSON as it was written.
pub(crate) fn json(bytes: &[u8]) -> Result<JsonValue> {
    serde_json::from_slice(bytes).map_err(|cause| {
        Error::new(ErrorKind::Corrupt, "a value is not JSON").in_store(STORE).caused_by(cause)
    })
}

/// The id of a call as it is stored.
pub(crate) fn call_id(id: ChangeId) -> Vec<u8> {
    change_id(id).into()
}

impl RedisStore {
    /// Calls a script that may write on one key.
    pub(crate) async fn on_key(
        &self,
        key: &str,
        script: &Script,
        args: &[Vec<u8>],
    ) -> Result<Value> {
        let keys = [key.to_owned()];
        self.server.call(Call { script, keys: &keys, args, effect: Effect::Write }).await
    }

    /// Removes an entry if it is still the one that was read.
    pub(crate) async fn remove_entry(&self, place: Place<'_>, read: Vec<u8>) -> Result<bool> {
        let args = [place.field.into(), read, Vec::new()];
        Ok(self.on_key(place.key, &self.scripts.swap, &args).await? == Value::Int(1))
    }

    /// Some fields of a hash with their values, and where to go on; 0 is the beginning and the end.
    /// What is there all the while is found at least once.
    pub(crate) async fn scan(
        &self,
        key: &str,
        cursor: u64,
    ) -> Result<(u64, Vec<(Vec<u8>, Vec<u8>)>)> {
        let mut scan = redis::cmd("HSCAN");
        scan.arg(key).arg(cursor).arg("COUNT").arg(SCANNED);
        let answer = self.server.send(&scan, Effect::None).await?;
        let [cursor, entries] = answer::exactly(answer)?;
        let cursor = answer::text(cursor)?.parse().map_err(|_| unexpected())?;
        let mut found = Vec::new();
        let mut values = answer::list(entries)?.into_iter();
        while let (Some(field), Some(value)) = (values.next(), values.next()) {
            found.push((answer::present(field)?, answer::present(value)?));
        }
        Ok((cursor, found))
    }
}
