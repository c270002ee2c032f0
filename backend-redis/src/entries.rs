//! Small entries: each a JSON text in a hash of its source, read, decided on, and written if nobody
//! else wrote meanwhile.

use redis::Value;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sync_tracker_core::{Error, ErrorKind, Result, Step, Timestamp};

use crate::answer;
use crate::error::{Effect, STORE, unexpected};
use crate::server::Call;
use crate::store::RedisStore;

/// How often a call decides again after others wrote what it decided on.
const TRIES: u32 = 64;

/// How many entries one call scans, more or less.
const SCANNED: usize = 100;

/// Where an entry is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) key: &'a str,
    pub(crate) field: &'a [u8],
}

pub(crate) fn decode<E: DeserializeOwned>(bytes: &[u8]) -> Result<E> {
    serde_json::from_slice(bytes).map_err(|cause| {
        Error::new(ErrorKind::Corrupt, "an entry does not decode").in_store(STORE).caused_by(cause)
    })
}

fn encode(entry: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(entry).map_err(|cause| {
        Error::new(ErrorKind::Internal, "an entry does not encode").in_store(STORE).caused_by(cause)
    })
}

impl RedisStore {
    /// Takes a step, as often as others come between.
    pub(crate) async fn step<E: Serialize + DeserializeOwned, A>(
        &self,
        place: Place<'_>,
        take: impl Fn(Option<&E>, Timestamp) -> Step<E, A> + Send,
    ) -> Result<A> {
        for _ in 0..TRIES {
            let (now, read) = self.read_entry(place).await?;
            let entry = read.as_deref().map(decode).transpose()?;
            let Step { answer, write } = take(entry.as_ref(), now);
            let Some(entry) = write else { return Ok(answer) };
            if self.swap_entry(place, read.unwrap_or_default(), encode(&entry)?).await? {
                return Ok(answer);
            }
        }
        let message = "others kept writing the same entry";
        Err(Error::new(ErrorKind::Unavailable, message).in_store(STORE))
    }

    /// The store's time and what is there.
    pub(crate) async fn read_entry(
        &self,
        place: Place<'_>,
    ) -> Result<(Timestamp, Option<Vec<u8>>)> {
        let args = [self.clock(), place.field.into()];
        let keys = [place.key.to_owned()];
        let script = &self.scripts.read;
        let call = Call { script, keys: &keys, args: &args, effect: Effect::None };
        let [now, entry] = answer::exactly(self.server.call(call).await?)?;
        Ok((answer::instant(&now)?, answer::bytes(entry)?))
    }

    /// Writes an entry, or removes it by no bytes, if what was read is still there.
    pub(crate) async fn swap_entry(
        &self,
        place: Place<'_>,
        read: Vec<u8>,
        written: Vec<u8>,
    ) -> Result<bool> {
        let args = [place.field.into(), read, written];
        let keys = [place.key.to_owned()];
        let script = &self.scripts.swap;
        let call = Call { script, keys: &keys, args: &args, effect: Effect::Write };
        Ok(self.server.call(call).await? == Value::Int(1))
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
