//! Changes of one record that need nothing but the entity and the source.

use std::future::IntoFuture;

use super::within::{Deed, within};
use super::{Call, Tracker, key_of};
use crate::change::{Change, Outcome};
use crate::entity::IntoEntity;
use crate::error::{Error, Result};
use crate::events::Transition;
use crate::key::{Key, Source};
use crate::record::SyncRecord;
use crate::remote::Fingerprint;
use crate::rules;

/// A change of one record to be made.
#[derive(Debug)]
#[must_use = "calls of the tracker do nothing until they are awaited"]
pub struct ChangeRecord {
    tracker: Tracker,
    key: Result<Key>,
    change: Change,
    event: Option<Transition>,
}

impl Tracker {
    /// Puts a dead letter or a dismissed record back into the queue.
    ///
    /// See [`rules::redrive`].
    pub fn redrive(
        &self,
        entity: impl IntoEntity,
        source: impl TryInto<Source, Error: Into<Error>>,
    ) -> ChangeRecord {
        self.change_record(key_of(entity, source), rules::redrive(), Transition::Redriven)
    }

    /// Takes the record out of the queue without calling it synced.
    ///
    /// See [`rules::dismiss`].
    pub fn dismiss(
        &self,
        entity: impl IntoEntity,
        source: impl TryInto<Source, Error: Into<Error>>,
    ) -> ChangeRecord {
        self.change_record(key_of(entity, source), rules::dismiss(), Transition::Dismissed)
    }

    /// Settles a create in doubt: it left nothing in the source.
    ///
    /// See [`rules::not_there`].
    pub fn not_there(
        &self,
        entity: impl IntoEntity,
        source: impl TryInto<Source, Error: Into<Error>>,
    ) -> ChangeRecord {
        self.change_record(key_of(entity, source), rules::not_there(), Transition::DoubtSettled)
    }

    /// Expects this content to come back as an event: said before it is pushed without a claim. A
    /// claimed push [says it itself](crate::Push::expect_echo).
    ///
    /// See [`rules::expect_echo`].
    pub fn expect_echo(
        &self,
        entity: impl IntoEntity,
        source: impl TryInto<Source, Error: Into<Error>>,
        content: &Fingerprint,
    ) -> ChangeRecord {
        self.change_quietly(key_of(entity, source), rules::expect_echo(None, content))
    }

    /// What a [sweep](Tracker::finish_sweep) missed is gone indeed, and the entity was deleted
    /// locally **before** this call. Refused if the record was written since it was read, such as by
    /// an event about the object.
    pub fn accept_missing(&self, record: &SyncRecord) -> ChangeRecord {
        let change = rules::accept_missed(record);
        self.change_record(Ok(record.key.clone()), change, Transition::RemoteAccepted)
    }

    /// A change that nobody is told of.
    pub(crate) fn change_quietly(&self, key: Result<Key>, change: Change) -> ChangeRecord {
        ChangeRecord { tracker: self.clone(), key, change, event: None }
    }

    fn change_record(&self, key: Result<Key>, change: Change, event: Transition) -> ChangeRecord {
        ChangeRecord { tracker: self.clone(), key, change, event: Some(event) }
    }
}

impl ChangeRecord {
    fn deed(self) -> Result<(Tracker, Deed)> {
        let Self { tracker, key, change, event } = self;
        Ok((tracker, Deed::new(key?, change, event)))
    }
}

within!(ChangeRecord);

impl IntoFuture for ChangeRecord {
    type Output = Result<Outcome>;
    type IntoFuture = Call<'static, Outcome>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (tracker, deed) = self.deed()?;
            deed.carry_out(&tracker).await
        })
    }
}
