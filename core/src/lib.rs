//! The storage-agnostic heart of sync-tracker: the ledger that applications use to keep local
//! entities in step with external systems.
//!
//! - [`Tracker`] is what applications call.
//! - [`SyncStore`] is what a store implements, with [`Change`] as the one thing that writes.
//! - [`Inbox`] handles inbound messages once, [`Checkpoints`] tell how far a pull got.
//! - [`rules`] compile what happened into changes; [`Change::settle`] and [`Ledger`] say what
//!   they mean.
//!
//! Data flows one way: application → [`Tracker`] → [`rules`] → [`Change`] → [`SyncStore`], and the
//! [`SyncRecord`] back. Nothing in a store decides, and nothing here talks to a server.
//!
//! ```
//! use sync_tracker_core::{EntityRef, Tracker};
//! use sync_tracker_memory::MemoryStore;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let tracker = Tracker::new(MemoryStore::new()).with_sources("product", ["shopify"])?;
//! let product = EntityRef::new("product", 42)?;
//!
//! tracker.created(&product).await?;
//! for push in tracker.claim("shopify").await?.pushes {
//!     // … call the shop: push.operation() says what to do …
//!     push.synced().external_id("gid://shopify/Product/1").await?;
//! }
//! assert!(tracker.is_synced(&product, "shopify").await?);
//! # Ok(())
//! # }
//! ```

mod change;
mod checkpoint;
mod claim;
mod counter;
mod counts;
mod durability;
mod entity;
mod error;
mod events;
mod failure;
mod fingerprint;
mod holding;
mod ids;
mod inbox;
mod json;
mod key;
pub mod layers;
mod ledger;
mod metadata;
mod observation;
mod over_records;
mod page;
mod pause;
pub mod policy;
mod push_result;
mod record;
mod remote;
mod rename;
pub mod rules;
mod statistics;
mod status;
mod step;
mod store;
mod text;
mod time;
mod tracker;
mod tracking;
mod verify;
mod waves;
mod worker;

pub use self::change::{
    AliasesOp, Applied, Arm, ArmShape, AttemptsOp, Change, ConflictOp, Demand, EchoesOp,
    ExternalIdDemand, ExternalIdOp, FactOp, FailureOp, FlagOp, Guard, HeldOp, IncarnationOp,
    InstantOp, LeaseOp, MetadataOp, NotNewer, Outcome, Patch, Refusal, Refused, RemoteDemand,
    RetryOp, RetryTable, RevisionOp, Shape, SyncedAtOp, SyncedRevisionOp,
};
pub use self::checkpoint::{
    Checkpoint, CheckpointEntry, CheckpointStore, Checkpoints, Evidence, Finished, FullRun,
    PullRun, PurgeHorizon, SaveCheckpoint, Saved, StartBound, StreamName, Watermark,
};
pub use self::claim::{ClaimRequest, Claimed, claim_order};
pub use self::counter::{Generation, Incarnation, Revision, Token, Version};
pub use self::counts::Counts;
pub use self::durability::{Durability, Survival};
pub use self::entity::{IntoEntity, Trackable};
pub use self::error::{Error, ErrorKind, Result};
pub use self::events::{Event, Events, Listener};
pub use self::failure::{Failure, FailureClass, FailureNote};
pub use self::fingerprint::Fingerprinter;
pub use self::ids::{ChangeId, ClaimId};
pub use self::inbox::{
    BeginInbox, Begun, DedupeKey, Handled, Inbox, InboxEntry, InboxStore, Settled, Ticket,
};
pub use self::json::JsonValue;
pub use self::key::{EntityId, EntityRef, EntityType, ExternalId, Key, Source};
pub use self::ledger::{Imported, Ledger, Removal, first_found};
pub use self::metadata::{Metadata, MetadataMerge};
pub use self::observation::{Freshness, Observation, RemoteState, Verdict, Via};
pub use self::over_records::OverRecords;
pub use self::page::{Cursor, Filter, Page, PageSize};
pub use self::pause::{Pause, PauseReason, PauseRequest};
pub use self::push_result::{Done, Failed, PushResult};
pub use self::record::{Conflict, ConflictKind, Held, HeldKind, Lease, RecentChanges, SyncRecord};
pub use self::remote::{Fingerprint, OpaqueVersion, RemoteVersion, VersionOrder};
pub use self::rename::{Renamed, rename_by_stashing};
pub use self::statistics::Statistics;
pub use self::status::{Operation, Status};
pub use self::step::Step;
pub use self::store::{SyncStore, TransactionalStore};
pub use self::time::{ManualClock, Millis, StoreClock, Timestamp};
pub use self::tracker::{
    AcceptRemote, Batch, BatchProgress, BatchReport, BindExternalId, ChangeRecord, ClaimDue,
    ClaimedPushes, EncounterRemote, FailPush, Found, InboundCounts, ItemReport, LocalChange,
    LocalChanges, MarkFailed, MarkSynced, Merged, ObserveRemote, Observed, PauseSource, Plausible,
    Purge, Push, Query, ReleasePush, RenewPush, ResolveConflict, SourceOutcome, Sweep, SweepReport,
    Swept, Tracker, Unpublished,
};
pub use self::tracking::{Tracked, TrackingRules, TypeRules};
pub use self::verify::{Discrepancy, verify};
pub use self::waves::{alike, waves};
pub use self::worker::{Handler, Job, Worker, WorkerCounts, WorkerHandle};
