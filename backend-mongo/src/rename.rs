//! Moving a record to another key: two documents, in one transaction.

use std::time::Duration;

use futures_util::TryStreamExt;
use mongodb::ClientSession;
use mongodb::bson::doc;
use mongodb::error::{Error as DriverError, UNKNOWN_TRANSACTION_COMMIT_RESULT};
use mongodb::options::ReadConcern;
use sync_tracker_core::{
    Error, Key, Refusal, Renamed, Result, SyncRecord, Timestamp, rename_by_stashing,
};

use crate::answer::{timed, with_time};
use crate::document::{decode, encode};
use crate::error::{self, Effect, contended, is_duplicate, is_transient, knows_no_transactions};
use crate::store::MongoStore;
use crate::value;

/// How often a record is moved anew after others came between.
const TRIES: u32 = 32;
const LONGEST_WAIT: Duration = Duration::from_millis(50);
/// How often a commit is sent whose outcome is unknown. The driver sends each twice.
const COMMITS: u32 = 3;

/// What became of one transaction.
enum Attempt {
    Done(Renamed),
    /// Others came between.
    Again,
    /// The server is a standalone.
    NoTransactions,
}

impl MongoStore {
    /// Translates `Ledger::rename`. A standalone has no transactions, so there it is several calls.
    pub(crate) async fn move_record(&self, from: &Key, to: &Key) -> Result<Renamed> {
        for tried in 0..TRIES {
            let (store, keys) = (self.clone(), (from.clone(), to.clone()));
            let attempt = async move { Ok(store.attempt(&keys.0, &keys.1).await) };
            let attempt = self.run(Effect::Write, attempt).await;
            match attempt.map_err(|failed| failed.into_error(Effect::Write))?? {
                Attempt::Done(renamed) => return Ok(renamed),
                Attempt::NoTransactions => return rename_by_stashing(self, from, to).await,
                Attempt::Again => {}
            }
            tokio::time::sleep(LONGEST_WAIT.min(Duration::from_millis(1 << tried.min(6)))).await;
        }
        Err(contended())
    }

    async fn attempt(&self, from: &Key, to: &Key) -> Result<Attempt> {
        let mut session = match self.client.start_session().await {
            Ok(session) => session,
            Err(cause) => return again(&cause),
        };
        let begun = session
            .start_transaction()
            .read_concern(ReadConcern::snapshot())
            .write_concern(self.write_concern.clone());
        if let Err(cause) = begun.await {
            return again(&cause);
        }
        match self.move_in(&mut session, from, to).await {
            Ok(Renamed::Moved) => {}
            Ok(other) => return Ok(Attempt::Done(other)),
            Err(Stopped::By(error)) => return Err(error),
            Err(Stopped::Server(cause)) => return again(&cause),
        }
        for _ in 0..COMMITS {
            match session.commit_transaction().await {
                Ok(()) => return Ok(Attempt::Done(Renamed::Moved)),
                Err(cause) if cause.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT) => {}
                Err(cause) if is_transient(&cause) => return Ok(Attempt::Again),
                Err(cause) => return Err(error::sent(&cause, Effect::Write)),
            }
        }
        Err(error::unacknowledged())
    }

    async fn move_in(
        &self,
        session: &mut ClientSession,
        from: &Key,
        to: &Key,
    ) -> Result<Renamed, Stopped> {
        let both = doc! { "_id": { "$in": [value::key(from), value::key(to)] } };
        let found = self.records.find(both).projection(with_time()).session(&mut *session);
        let found: Vec<_> = found.await?.stream(session).try_collect().await?;
        let (mut record, mut is_free, mut now) = (None, true, Timestamp::MIN);
        for answer in &found {
            let (at, document) = timed(answer)?;
            now = self.clock.explicit_now().unwrap_or(at);
            let there = decode(document)?;
            match there.key == *from {
                true => record = Some(there),
                false => is_free = false,
            }
        }
        let Some(record) = record else { return Ok(Renamed::Absent) };
        if from == to {
            return Ok(Renamed::Moved);
        }
        if let Some(refusal) = record.rename_refusal(now) {
            return Ok(Renamed::Refused(refusal));
        }
        if !is_free {
            return Ok(Renamed::Refused(Refusal::AlreadyExists));
        }
        let moved = record.renamed(to);
        if let Some(refusal) = self.taken_in(session, &record, &moved).await? {
            return Ok(Renamed::Refused(refusal));
        }
        self.records.delete_one(doc! { "_id": value::key(from) }).session(&mut *session).await?;
        self.records.insert_one(encode(&moved)?).session(session).await?;
        Ok(Renamed::Moved)
    }

    /// Who holds an external id of a record where it is to go.
    async fn taken_in(
        &self,
        session: &mut ClientSession,
        record: &SyncRecord,
        moved: &SyncRecord,
    ) -> Result<Option<Refusal>, Stopped> {
        let Key { source, entity } = &moved.key;
        let ids: Vec<_> = moved.external_ids().cloned().collect();
        let holders = self.holders_in(session, source, &entity.entity_type, &ids).await?;
        let is_same =
            *source == record.key.source && entity.entity_type == record.key.entity.entity_type;
        Ok(moved.taken_external_id(is_same.then_some(record), |id| holders.get(id).cloned()))
    }
}

/// Whether another attempt may do.
fn again(cause: &DriverError) -> Result<Attempt> {
    if knows_no_transactions(cause) {
        Ok(Attempt::NoTransactions)
    } else if is_transient(cause) || is_duplicate(cause) {
        Ok(Attempt::Again)
    } else {
        Err(error::sent(cause, Effect::None))
    }
}

/// What ends a transaction before its commit.
pub(crate) enum Stopped {
    Server(DriverError),
    By(Error),
}

impl From<DriverError> for Stopped {
    fn from(cause: DriverError) -> Self {
        Self::Server(cause)
    }
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::By(error)
    }
}
