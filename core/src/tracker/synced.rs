//! A success, told in as much detail as the caller has.

use std::future::IntoFuture;

use serde_json::Value;

use super::{Call, Tracker};
use crate::change::{Change, MetadataOp, Outcome};
use crate::counter::{Revision, Token};
use crate::error::{Error, Result};
use crate::ids::ChangeId;
use crate::key::{ExternalId, Key};
use crate::metadata::{Metadata, MetadataMerge};
use crate::remote::{Fingerprint, RemoteVersion};
use crate::rules::{self, Completion, Success};
use crate::status::Operation;

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
    /// What a leased push carried.
    Push { token: Token, operation: Operation, revision: Revision, id: ChangeId },
}

impl MarkSynced {
    pub(super) fn current(tracker: Tracker, key: Result<Key>) -> Self {
        Self { tracker, key, what: What::Current, success: Ok(Success::default()) }
    }

    pub(super) fn push(
        tracker: Tracker,
        key: Key,
        token: Token,
        operation: Operation,
        revision: Revision,
        id: ChangeId,
    ) -> Self {
        let what = What::Push { token, operation, revision, id };
        Self { tracker, key: Ok(key), what, success: Ok(Success::default()) }
    }

    fn and(mut self, tell: impl FnOnce(&mut Success) -> Result<()>) -> Self {
        if let Ok(success) = &mut self.success
            && let Err(error) = tell(success)
        {
            self.success = Err(error);
        }
        self
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

    async fn run(self) -> Result<Outcome> {
        let Self { tracker, key, what, success } = self;
        let (key, success) = (key?, success?);
        let change: Change = match what {
            What::Current => rules::MarkSynced { success }.change(),
            What::Push { token, operation, revision, id } => {
                Completion { token, operation, revision, success }.change().with_id(id)
            }
        };
        tracker.apply(&key, &change).await
    }
}

impl IntoFuture for MarkSynced {
    type Output = Result<Outcome>;
    type IntoFuture = Call<Outcome>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
