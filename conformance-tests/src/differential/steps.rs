//! What may happen next, as picks: what it is about is known when the step is taken.

use super::pick::Pick;
use super::sketch::{ArmSketch, Fields};

/// One thing that happens, and maybe a walk over pages to look at what became of it.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) deed: Deed,
    pub(super) look: Option<Look>,
}

/// A walk over the pages of a filter.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub(super) filter: Fields,
    pub(super) after: Option<Pick>,
    pub(super) size: Pick,
}

#[derive(Clone, Debug)]
pub(super) enum Deed {
    /// The clock is moved.
    Clock(Move),
    /// A change is made.
    Apply(Making),
    /// Changes are made in one call.
    Batch(Vec<Making>),
    /// A change, as many others as are picked, and the change again.
    Ring {
        key: Pick,
        between: Pick,
    },
    /// Due records of a source are claimed, under a new id or an earlier one.
    Claim {
        source: Pick,
        limit: Pick,
        ttl: Pick,
        max_attempts: Pick,
        repeated: Option<Pick>,
    },
    /// A whole record is stored.
    Put {
        key: Pick,
        base: Pick,
        fields: Fields,
    },
    /// A record is removed.
    Remove {
        key: Pick,
        guard: Fields,
    },
    /// A record is moved to another key.
    Rename {
        from: Pick,
        to: Pick,
    },
    Pause {
        source: Pick,
        span: Option<Pick>,
        reason: Pick,
    },
    Resume {
        source: Pick,
    },
    GetMany(Vec<Pick>),
    ByExternalIds {
        source: Pick,
        entity_type: Pick,
        ids: Vec<Pick>,
    },
    RecordsOf(Pick),
}

/// How the clock is moved.
#[derive(Clone, Debug)]
pub(super) enum Move {
    /// On, by a little.
    On(Pick),
    /// Back, by a little.
    Back(Pick),
    /// To where something becomes due or runs out, or the instant before or after.
    ToBoundary(Pick),
}

/// A change, and the key that it is made to.
#[derive(Clone, Debug)]
pub(super) enum Making {
    /// What a rule makes of something that happened to an entity.
    Rule { key: Pick, rule: Rule },
    /// What becomes of a lease, of now or of before; its token may be off by one.
    Report { lease: Pick, off: Pick, report: Report },
    /// A change of nobody's rules.
    Raw { key: Pick, arms: Vec<ArmSketch> },
    /// A change that was made before to this key, or to another one, is made again.
    Again { back: Pick, elsewhere: Option<Pick> },
}

#[derive(Clone, Debug)]
pub(super) enum Rule {
    Created,
    Updated,
    Deleted,
    Restored,
    Redrive,
    Dismiss,
    NotThere,
    MarkFailed { note: Pick, retry_after: Option<Pick> },
    MarkSynced(Facts),
    MarkSyncedTo { incarnation: Pick, revision: Pick, facts: Facts },
    Bind { id: Pick, mode: Pick, expected: Pick },
}

#[derive(Clone, Debug)]
pub(super) enum Report {
    Completed { operation: Pick, revision: Pick, facts: Facts },
    Failed { note: Pick, retry_after: Option<Pick> },
    Renewed { ttl: Pick },
    Released,
}

/// What a success tells about the remote.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) external_id: Option<Pick>,
    pub(super) remote_version: Option<Pick>,
    pub(super) fingerprint: Option<Pick>,
    pub(super) metadata: Option<Pick>,
}
