//! Taking in what is seen in the shop: observe, write, accept.

use serde_json::Value;
use sync_tracker::{EntityRef, ExternalId, Observed, RemoteVersion, SyncRecord, Verdict};

use super::{PRODUCT, SHOP, TwoWay, TwoWayError, Weakness};
use crate::client::{Seen, State};

/// How often a product is looked at again, if it keeps changing, before it is put off.
const TRIES: usize = 8;

/// What is left to do about a product.
#[derive(Debug)]
pub(super) enum Next {
    /// Nothing.
    Settled,
    /// It has to be read.
    Read,
    /// It was merged into the product with this id.
    Merged(String),
    /// The object with this id has to be looked at first.
    LookFirst(String),
}

impl TwoWay {
    /// Takes in what an event or a listing tells. It may be late, or told before.
    pub async fn hear(&self, seen: Seen) -> Result<(), TwoWayError> {
        let id = seen.id.clone();
        self.take_in(&id, Some(seen), None).await
    }

    /// Reads a product in the shop, and takes it in.
    pub async fn look_at(&self, id: &str) -> Result<(), TwoWayError> {
        self.take_in(id, None, None).await
    }

    /// Takes in what was told of a product, and reads it where that does not suffice. `pushing` is
    /// the product whose push asks for it.
    pub(super) async fn take_in(
        &self,
        id: &str,
        mut told: Option<Seen>,
        pushing: Option<&EntityRef>,
    ) -> Result<(), TwoWayError> {
        for _ in 0..TRIES {
            // One object at a time, so that no two tasks wait for each other.
            let object = self.db.lock_object(id).await;
            let next = match self.tracker.by_external_id(SHOP, PRODUCT, id).await? {
                Some(record) => {
                    let _row = self.db.lock(&record.key.entity).await;
                    self.observe(id, &record.key.entity, told.take()).await?
                }
                // An event about an unknown product may be older than its deletion.
                None => self.meet(id, pushing).await?,
            };
            drop(object);
            match next {
                Next::Settled => return Ok(()),
                Next::LookFirst(other) => Box::pin(self.look_at(&other)).await?,
                Next::Read => told = None,
                Next::Merged(into) => return self.merged(id, &into).await,
            }
        }
        Err(TwoWayError::Later("the product keeps changing"))
    }

    /// Reads a product. The record comes first, so that what is read is known to be newer.
    pub(super) async fn read(&self, id: &str) -> Result<Seen, TwoWayError> {
        self.tally.note(|tally| tally.read += 1);
        Ok(self.client.look(id).await?)
    }

    /// Under the locks of the object and of its row: tells the ledger what was seen, and does what
    /// that means.
    async fn observe(
        &self,
        id: &str,
        entity: &EntityRef,
        told: Option<Seen>,
    ) -> Result<Next, TwoWayError> {
        let record = self.tracker.by_external_id(SHOP, PRODUCT, id).await?;
        let Some(record) = record.filter(|record| record.key.entity == *entity) else {
            return Ok(Next::Read);
        };
        if record.conflict.is_some() {
            return self.resolve(record).await;
        }
        let (seen, since) = match told {
            Some(seen) => (seen, None),
            None => (self.read(id).await?, Some(&record)),
        };
        let content = match &seen.state {
            State::There(content) => content.clone(),
            State::Gone => None,
            State::MergedInto(into) => return Ok(Next::Merged(into.clone())),
        };
        let observed = self.tell(&seen, since).await?;
        if let Some(record) = observed.record.clone().filter(|record| record.conflict.is_some()) {
            return self.resolve(record).await;
        }
        match observed.verdict {
            Verdict::Same | Verdict::Stale | Verdict::Echo => Ok(Next::Settled),
            Verdict::Newer => match content {
                Some(content) => self.take_over(&observed, entity, Some(content)).await,
                None => Ok(Next::Read),
            },
            Verdict::Deleted => self.take_over(&observed, entity, None).await,
            Verdict::Reappeared => match content.filter(|_| since.is_some()) {
                Some(content) => self.take_over(&observed, entity, Some(content)).await,
                None => Ok(Next::Read),
            },
            Verdict::Merged => Ok(match observed.record.and_then(|record| record.external_id) {
                Some(into) => Next::Merged(into.to_string()),
                None => Next::Read,
            }),
            Verdict::Unordered | Verdict::Untracked | Verdict::Conflict(_) => Ok(Next::Read),
        }
    }

    /// Tells the ledger what was seen; if it was read, since when nothing else may have happened.
    pub(super) async fn tell(
        &self,
        seen: &Seen,
        since: Option<&SyncRecord>,
    ) -> Result<Observed, TwoWayError> {
        let mut observe = self.tracker.observe(SHOP, PRODUCT, seen.id.as_str());
        if let Some(version) = self.version(seen.version) {
            observe = observe.version(version);
        }
        match &seen.state {
            State::There(Some(content)) => observe = observe.fingerprint(self.db.keep(content)?),
            State::There(None) => {}
            State::Gone | State::MergedInto(_) => observe = observe.deleted(),
        }
        if let Some(record) = since {
            observe = observe.read_since(record);
        }
        Ok(observe.await?)
    }

    /// A version of the shop, as the ledger names it.
    pub(super) fn version(&self, version: Option<u64>) -> Option<RemoteVersion> {
        let version = version.filter(|_| self.weakness != Some(Weakness::NoVersions));
        version.and_then(|version| i64::try_from(version).ok()).map(RemoteVersion::Sequence)
    }

    /// Writes the shop's state here, then tells the ledger that it is.
    async fn take_over(
        &self,
        observed: &Observed,
        entity: &EntityRef,
        content: Option<Value>,
    ) -> Result<Next, TwoWayError> {
        let was_deleted = self.db.live(entity).is_none();
        let is_deleted = content.is_none();
        match content {
            Some(content) => self.db.write(entity, content),
            None => self.db.delete(entity),
        }
        if !self.tracker.accept_remote(observed).await?.is_applied() {
            return Ok(Next::Read);
        }
        self.tally.note(|tally| match (was_deleted, is_deleted) {
            (true, false) => tally.restored += 1,
            (false, true) => tally.deleted += 1,
            (false, false) => tally.taken_over += 1,
            (true, true) => {}
        });
        Ok(Next::Settled)
    }

    /// The record that an external id leads to.
    pub(super) fn external_id(record: &SyncRecord) -> Option<String> {
        record.external_id.as_ref().map(ExternalId::to_string)
    }
}
