//! A success, told in as much detail as the caller has.

use std::future::IntoFuture;

use serde_json::Value;

use super::push::Once;
use super::within::{Deed, within};
use super::{Call, Tracker, key_of};
use crate::change::{MetadataOp, Outcome};
use crate::counter::{Incarnation, Revision, Token};
use crate::entity::IntoEntity;
use crate::error::{Error, Result};
use crate::events::Transition;
use crate::key::{ExternalId, Key, Source};
use crate::metadata::{Metadata, MetadataMerge};
use crate::record::SyncRecord;
use crate::remote::{Fingerprint, RemoteVersion};
use crate::rules::{self, Completion, Success};
use crate::status::Operation;

impl Tracker {
    /// Asserts that the **current** state of the entity is in the source.
    ///
    /// For simple use, where nothing changes the entity while it is pushed; else claim it, and
    /// report the [`Push`](crate::Push). What is not said is kept: external id, version, metadata.
    ///
    /// See [`rules::MarkSynced`].
    pub fn mark_synced(
        &self,
        entity: impl IntoEntity,
        source: impl TryInto<Source, Error: Into<Error>>,
    ) -> MarkSynced {
        MarkSynced::new(self.clone(), key_of(entity, source), What::Current)
    }
}

/// A success to be reported. What is not said is kept.
#[derive(Debug)]
#[must_use = "calls of the tracker do nothing until they are awaited"]
pub struct MarkSynced {
    tracker: Tracker,
    key: Result<Key>,
    what: What,
    success: Result<Success>,
}

/// What the success is about.
#[derive(Debug)]
enum What {
    /// The state of the entity as it is now.
    Current,
    /// The state of the entity when its record was read.
    AsOf { incarnation: Incarnation, revision: Revision },
    /// What a leased push carried.
    Push {
        token: Token,
        operation: Operation,
        revision: Revision,
        seen: Option<RemoteVersion>,
        once: Once,
    },
}

impl MarkSynced {
    fn new(tracker: Tracker, key: Result<Key>, what: What) -> Self {
        Self { tracker, key, what, success: Ok(Success::default()) }
    }

    /// Of what a leased push carried.
    pub(super) fn of_push(tracker: Tracker, record: &SyncRecord, once: Once) -> Self {
        let what = What::Push {
            token: record.token,
            operation: record.operation(),
            revision: record.revision,
            seen: record.remote_seen.clone(),
            once,
        };
        Self::new(tracker, Ok(record.key.clone()), what)
    }

    fn and(mut self, tell: impl FnOnce(&mut Success) -> Result<()>) -> Self {
        if let Ok(success) = &mut self.success
            && let Err(error) = tell(success)
        {
            self.success = Err(error);
        }
        self
    }

    /// Asserts only the state that the entity was in when this record of it was read: before the
    /// push began. A local change since leaves it dirty. Refused if the record is of an earlier
    /// life of the id.
    ///
    /// It is for those who push without claiming. On a push that was claimed it says nothing new.
    ///
    /// See [`rules::MarkSyncedTo`].
    pub fn as_of(self, record: &SyncRecord) -> Self {
        let SyncRecord { incarnation, revision, .. } = *record;
        match self.what {
            What::Push { .. } => self,
            What::Current | What::AsOf { .. } => {
                Self { what: What::AsOf { incarnation, revision }, ..self }
            }
        }
    }

    /// Everything at once, in place of what was said before.
    pub fn success(self, success: Success) -> Self {
        Self { success: Ok(success), ..self }
    }

    /// The id of the object in the source. Refused if the record has another one, or if another
    /// entity of the type holds it.
    pub fn external_id<X>(self, id: X) -> Self
    where
        X: TryInto<ExternalId, Error: Into<Error>>,
    {
        self.and(|success| {
            success.external_id = Some(id.try_into().map_err(Into::into)?);
            Ok(())
        })
    }

    /// The version of the object in the source after the push.
    pub fn remote_version(self, version: RemoteVersion) -> Self {
        self.and(|success| {
            success.remote_version = Some(version);
            Ok(())
        })
    }

    /// The content that was pushed.
    pub fn fingerprint(self, fingerprint: Fingerprint) -> Self {
        self.and(|success| {
            success.fingerprint = Some(fingerprint);
            Ok(())
        })
    }

    /// Makes the metadata this JSON object. Undoes what was said of metadata before.
    pub fn replace_metadata(self, whole: Value) -> Self {
        self.and(|success| {
            success.metadata = MetadataOp::Replace(Metadata::new(whole)?);
            Ok(())
        })
    }

    /// Sets the top-level keys of this JSON object in the metadata, each value whole; what is
    /// removed is removed first. Undoes an earlier merge, and an earlier replacement.
    pub fn merge_metadata(self, set: Value) -> Self {
        self.and(|success| {
            let removed = match &success.metadata {
                MetadataOp::Merge(merge) => merge.remove().to_vec(),
                MetadataOp::Keep | MetadataOp::Replace(_) => Vec::new(),
            };
            success.metadata = MetadataOp::Merge(MetadataMerge::new(Metadata::new(set)?, removed)?);
            Ok(())
        })
    }

    /// Removes these top-level keys from the metadata. Undoes an earlier removal, and an earlier
    /// replacement.
    pub fn remove_metadata<K: Into<Box<str>>>(self, keys: impl IntoIterator<Item = K>) -> Self {
        self.and(|success| {
            let set = match &success.metadata {
                MetadataOp::Merge(merge) => merge.set().clone(),
                MetadataOp::Keep | MetadataOp::Replace(_) => Metadata::default(),
            };
            success.metadata = MetadataOp::Merge(MetadataMerge::new(set, keys)?);
            Ok(())
        })
    }

    fn deed(self) -> Result<(Tracker, Deed)> {
        let Self { tracker, key, what, success } = self;
        let (key, success) = (key?, success?);
        let (change, once) = match what {
            What::Current => (rules::MarkSynced { success }.change(), None),
            What::AsOf { incarnation, revision } => {
                (rules::MarkSyncedTo { incarnation, revision, success }.change(), None)
            }
            What::Push { token, operation, revision, seen, once } => {
                let done = Completion { token, operation, revision, seen, success };
                (done.change(), Some(once))
            }
        };
        Ok((tracker, Deed { key, change, event: Some(Transition::EntitySynced), once }))
    }
}

within!(MarkSynced);

impl IntoFuture for MarkSynced {
    type Output = Result<Outcome>;
    type IntoFuture = Call<'static, Outcome>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (tracker, deed) = self.deed()?;
            deed.carry_out(&tracker).await
        })
    }
}
