//! One type for every store.

use sync_tracker_core::{CheckpointStore, InboxStore, SyncStore};

/// A store of records, messages and checkpoints in one. Every store that is all three is one.
///
/// Behind an [`Arc`](std::sync::Arc) it goes wherever a store goes: into a
/// [`Tracker`](crate::Tracker), an [`Inbox`](crate::Inbox) and [`Checkpoints`](crate::Checkpoints).
pub trait AnyStore: SyncStore + InboxStore + CheckpointStore {}

impl<S: SyncStore + InboxStore + CheckpointStore> AnyStore for S {}
