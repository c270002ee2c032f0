//! Guards, patches, filters and records as picks, each made whole, so that a new field does not
//! compile until it is drawn.

use sync_tracker_core::{
    AliasesOp, Arm, AttemptsOp, Change, Conflict, ConflictOp, Cursor, EchoesOp, ExternalId,
    ExternalIdDemand, ExternalIdOp, FactOp, Failure, FailureOp, Filter, FlagOp, Guard, Held,
    HeldKind, HeldOp, IncarnationOp, InstantOp, Lease, LeaseOp, MetadataMerge, MetadataOp,
    PageSize, Patch, RecentChanges, RemoteDemand, RetryOp, RevisionOp, Status, SyncRecord,
    SyncedAtOp, SyncedRevisionOp, Timestamp, Version,
};

use super::pick::Pick;
use super::scene::Scene;

/// One pick or none for each field, in the order of the fields.
#[derive(Clone, Debug)]
pub(super) struct Fields(pub(super) Vec<Option<Pick>>);

impl Fields {
    fn iter(&self) -> impl FnMut() -> Option<Pick> {
        let mut fields = self.0.iter().copied();
        move || fields.next().expect("a pick or none for each field")
    }
}

/// An arm of a change of nobody's rules.
#[derive(Clone, Debug)]
pub(super) struct ArmSketch {
    pub(super) when: Fields,
    pub(super) then: Fields,
}

impl ArmSketch {
    pub(super) fn arm(&self, scene: &mut Scene<'_>) -> Arm {
        Arm { when: guard(&self.when, scene), then: patch(&self.then, scene) }
    }
}

pub(super) fn change(arms: &[ArmSketch], scene: &mut Scene<'_>) -> Change {
    let arms: Vec<_> = arms.iter().map(|arm| arm.arm(scene)).collect();
    Change::new(arms).unwrap().with_id(scene.memory.change_id())
}

pub(super) const DEMANDS: usize = 19;

/// The demands that are picked. Where a state is demanded, the plainest is the one that there is.
pub(super) fn guard(demands: &Fields, scene: &Scene<'_>) -> Guard {
    let mut next = demands.iter();
    let record = scene.record.as_ref();
    let state = |next: Option<Pick>, is: fn(&SyncRecord) -> bool| {
        next.map(|pick| record.is_some_and(is) != (pick.below(3) == 2))
    };
    Guard {
        exists: state(next(), |_| true),
        version: next().map(|pick| scene.version(pick)),
        revision: next().map(|pick| scene.revision(pick)),
        incarnation: next().map(|pick| scene.incarnation(pick)),
        token: next().map(|pick| scene.token(pick)),
        leased: state(next(), |record| record.lease.is_some()),
        due: next().map(|pick| {
            record.is_some_and(|record| record.is_due(scene.now)) != (pick.below(3) == 2)
        }),
        deleted: state(next(), SyncRecord::is_deleted),
        dirty: state(next(), SyncRecord::is_dirty),
        known: state(next(), SyncRecord::is_known),
        in_doubt: state(next(), |record| record.in_doubt),
        held: state(next(), |record| record.held.is_some()),
        conflict: state(next(), |record| record.conflict.is_some()),
        attempts_at_least: next().map(|pick| scene.attempts(pick)),
        synced_above: next().map(|pick| scene.synced_revision(pick)),
        external_id: next().map(|pick| {
            let id = scene.external_id(pick);
            match pick.also().below(2) {
                0 => ExternalIdDemand::FreeOr(id),
                _ => ExternalIdDemand::Is(id),
            }
        }),
        echo: next().map(|pick| scene.fingerprint(pick)),
        base_differs: next().map(|pick| scene.fingerprint(pick)),
        remote: next().map(|pick| {
            let version = scene.remote_version(pick);
            match pick.also().below(3) {
                0 => RemoteDemand::SeenIs(version),
                _ => RemoteDemand::NewerThanAccepted(version),
            }
        }),
    }
}

pub(super) const OPERATIONS: usize = 22;

/// The operations that are picked; the others keep what there is.
pub(super) fn patch(operations: &Fields, scene: &mut Scene<'_>) -> Patch {
    let mut next = operations.iter();
    Patch {
        // Rarely, since it clears so much.
        incarnation: next()
            .filter(|pick| pick.below(4) == 0)
            .map(|_| IncarnationOp::Next)
            .unwrap_or_default(),
        external_id: next().map(|pick| external_id_op(pick, scene)).unwrap_or_default(),
        aliases: next().map(|pick| AliasesOp::Add(scene.external_id(pick))).unwrap_or_default(),
        revision: next().map(|_| RevisionOp::Next).unwrap_or_default(),
        synced_revision: next()
            .map(|pick| match pick.also().below(3) {
                0 => SyncedRevisionOp::ToRevision,
                _ => SyncedRevisionOp::Max(scene.revision(pick)),
            })
            .unwrap_or_default(),
        updated_at: instant_op(next()),
        deleted_at: instant_op(next()),
        remote_deleted_at: instant_op(next()),
        sighted_at: instant_op(next()),
        synced_at: next()
            .map(|pick| pick.of(&[SyncedAtOp::Now, SyncedAtOp::Now, SyncedAtOp::Clear]))
            .unwrap_or_default(),
        remote_version: fact_op(next(), |pick| scene.remote_version(pick)),
        remote_seen: fact_op(next(), |pick| scene.remote_version(pick)),
        base: fact_op(next(), |pick| scene.fingerprint(pick)),
        echoes: next().map(|pick| echoes_op(pick, scene)).unwrap_or_default(),
        attempts: next()
            .map(|pick| pick.of(&[AttemptsOp::Charge, AttemptsOp::GiveBack, AttemptsOp::Reset]))
            .unwrap_or_default(),
        in_doubt: next().map(|pick| pick.of(&[FlagOp::Set, FlagOp::Clear])).unwrap_or_default(),
        held: next()
            .map(|pick| pick.of(&[HeldOp::Clear, HeldOp::Clear, HeldOp::Dead, HeldOp::Dismissed]))
            .unwrap_or_default(),
        failure: next()
            .map(|pick| match pick.also().below(4) {
                0 => FailureOp::Clear,
                _ => FailureOp::Note(pick.note()),
            })
            .unwrap_or_default(),
        retry_at: next()
            .map(|pick| match pick.also().below(5) {
                0 => RetryOp::Clear,
                1 | 2 => RetryOp::After(pick.span()),
                _ => RetryOp::Table(scene.table(pick)),
            })
            .unwrap_or_default(),
        lease: next().map(|pick| lease_op(pick, scene)).unwrap_or_default(),
        conflict: next()
            .map(|pick| match pick.also().below(4) {
                0 => ConflictOp::Open(pick.conflict_kind()),
                _ => ConflictOp::Clear,
            })
            .unwrap_or_default(),
        metadata: next().map(|pick| metadata_op(pick, scene)).unwrap_or_default(),
    }
}

fn external_id_op(pick: Pick, scene: &Scene<'_>) -> ExternalIdOp {
    let id = scene.external_id(pick);
    match pick.also().below(5) {
        0 => ExternalIdOp::Clear,
        1 | 2 => ExternalIdOp::Set(id),
        _ => ExternalIdOp::Supersede(id),
    }
}

fn instant_op(pick: Option<Pick>) -> InstantOp {
    pick.map(|pick| pick.of(&[InstantOp::Now, InstantOp::NowIfNone, InstantOp::Clear]))
        .unwrap_or_default()
}

fn fact_op<T>(pick: Option<Pick>, value: impl Fn(Pick) -> T) -> FactOp<T> {
    pick.map(|pick| match pick.also().below(6) {
        0 => FactOp::Clear,
        _ => FactOp::Set(value(pick)),
    })
    .unwrap_or_default()
}

fn echoes_op(pick: Pick, scene: &Scene<'_>) -> EchoesOp {
    let content = scene.fingerprint(pick);
    match pick.also().below(8) {
        0 => EchoesOp::Clear,
        1 | 2 => EchoesOp::Remove(content),
        _ => EchoesOp::Push(content),
    }
}

fn lease_op(pick: Pick, scene: &mut Scene<'_>) -> LeaseOp {
    let ttl = pick.span();
    match pick.also().below(4) {
        0 => LeaseOp::Drop,
        1 => LeaseOp::Renew { ttl },
        _ => LeaseOp::Grant { claim_id: scene.claim_id(pick.also()), ttl },
    }
}

pub(super) fn metadata_op(pick: Pick, scene: &Scene<'_>) -> MetadataOp {
    let metadata = scene.metadata(pick, 0..=3);
    if pick.also().below(3) == 0 {
        return MetadataOp::Replace(metadata);
    }
    let picks = [pick.also(), pick.also().also()];
    let remove = picks.map(|pick| scene.metadata_key(pick));
    MetadataOp::Merge(MetadataMerge::new(metadata, remove).unwrap())
}

pub(super) const FILTERS: usize = 6;

pub(super) fn filter(fields: &Fields, scene: &mut Scene<'_>) -> Filter {
    let mut next = fields.iter();
    Filter {
        source: next().map(|pick| pick.of(&scene.universe.sources)),
        entity_type: next().map(|pick| pick.of(&scene.universe.types)),
        status: next().map(|pick| pick.of(&Status::ALL)),
        due: next().map(|pick| pick.below(2) == 0),
        claim_id: next().map(|pick| scene.claim_id(pick)),
        metadata: next().map(|pick| {
            let records = scene.records();
            let own = records.iter().flat_map(|record| record.metadata.iter());
            let own: Vec<_> = own.map(|(key, value)| (key.to_owned(), value.clone())).collect();
            if own.is_empty() || pick.also().below(4) == 0 {
                return scene.metadata(pick, 0..=2);
            }
            let map = [pick.of(&own)].into_iter().collect();
            sync_tracker_core::Metadata::new(serde_json::Value::Object(map)).unwrap()
        }),
    }
}

/// Where a walk begins, and the size of its pages.
pub(super) fn position(
    after: Option<Pick>,
    size: Pick,
    scene: &Scene<'_>,
) -> (Option<Cursor>, PageSize) {
    let after = after.map(|pick| match pick.also().below(3) {
        0 => Cursor::after_source(&pick.of(&scene.universe.sources)),
        _ => Cursor::after(&pick.of(&scene.universe.keys)),
    });
    (after, PageSize::new(size.of(&[100, 1, 2, 3, 9])).unwrap())
}

pub(super) const RECORD: usize = 29;

/// A counter that no 32 bits hold, far enough from the largest that may be imported.
const LARGE: u64 = (1 << 52) - (1 << 20);

/// The record that there is, or that of another key, with the fields that are picked changed; not
/// every one is valid.
pub(super) fn record(base: Pick, fields: &Fields, scene: &mut Scene<'_>) -> SyncRecord {
    let base = base_of(base, scene);
    let mut next = fields.iter();
    let optional = |pick: Option<Pick>, there: Option<Timestamp>, scene: &Scene<'_>| match pick {
        None => there,
        Some(pick) => (pick.also().below(4) > 0).then(|| scene.instant(pick)),
    };
    let (revision, synced_revision) = (next(), next());
    let revision = revision.map_or(base.revision, |pick| scene.revision(pick));
    let synced_revision =
        synced_revision.map_or(base.synced_revision.min(revision), |pick| scene.revision(pick));
    // Dirty and pending are one thing: what differs is only there to be refused.
    let pending_since = match next() {
        Some(pick) if pick.also().below(8) == 7 => None,
        Some(pick) => (revision > synced_revision).then(|| scene.instant(pick)),
        None => (revision > synced_revision).then(|| base.pending_since.unwrap_or(scene.now)),
    };
    SyncRecord {
        key: scene.key.clone(),
        revision,
        synced_revision,
        pending_since,
        external_id: match next() {
            None => base.external_id,
            Some(pick) => (pick.also().below(4) > 0).then(|| scene.external_id(pick)),
        },
        aliases: next().map_or(base.aliases, |pick| aliases(pick, scene)),
        incarnation: next().map_or(base.incarnation, |pick| scene.incarnation(pick)),
        created_at: next().map_or(base.created_at, |pick| scene.instant(pick)),
        updated_at: optional(next(), base.updated_at, scene),
        deleted_at: optional(next(), base.deleted_at, scene),
        synced_at: optional(next(), base.synced_at, scene),
        remote_version: match next() {
            None => base.remote_version,
            Some(pick) => (pick.also().below(4) > 0).then(|| scene.remote_version(pick)),
        },
        remote_seen: match next() {
            None => base.remote_seen,
            Some(pick) => (pick.also().below(4) > 0).then(|| scene.remote_version(pick)),
        },
        remote_deleted_at: optional(next(), base.remote_deleted_at, scene),
        sighted_at: optional(next(), base.sighted_at, scene),
        base: match next() {
            None => base.base,
            Some(pick) => (pick.also().below(4) > 0).then(|| scene.fingerprint(pick)),
        },
        echoes: next().map_or(base.echoes, |pick| {
            let contents = std::iter::successors(Some(pick), |pick| Some(pick.also()));
            let count = pick.also().of(&[4, 0, 1, 3, 4, 5]);
            contents.take(count).map(|pick| scene.fingerprint(pick)).collect()
        }),
        attempts: next().map_or(base.attempts, |pick| scene.attempts(pick)),
        in_doubt: next().map_or(base.in_doubt, |pick| pick.below(2) == 0),
        held: match next() {
            None => base.held,
            Some(pick) => (pick.also().below(3) == 0).then(|| Held {
                kind: pick.of(&[HeldKind::Dead, HeldKind::Dismissed]),
                since: scene.instant(pick.also()),
            }),
        },
        failure: match next() {
            None => base.failure,
            Some(pick) => (pick.also().below(4) > 0).then(|| Failure {
                class: pick.class(),
                code: pick.also().of(&[None, Some("429".into()), Some("é".into())]),
                message: pick.of(&["", "why", "line\nline"]).into(),
                first_at: scene.instant(pick),
                last_at: scene.instant(pick.also()),
            }),
        },
        retry_at: optional(next(), base.retry_at, scene),
        token: next().map_or(base.token, |pick| scene.token(pick)),
        lease: match next() {
            None => base.lease,
            Some(pick) => (pick.also().below(2) == 0).then(|| Lease {
                claim_id: scene.claim_id(pick),
                until: scene.instant(pick.also()),
            }),
        },
        conflict: match next() {
            None => base.conflict,
            Some(pick) => (pick.also().below(6) == 0)
                .then(|| Conflict { kind: pick.conflict_kind(), since: scene.instant(pick) }),
        },
        metadata: next().map_or(base.metadata, |pick| scene.metadata(pick, 0..=6)),
        version: next().map_or(base.version, |pick| match pick.also().below(8) {
            7 => Version::new(LARGE).unwrap(),
            _ => scene.version(pick),
        }),
        recent_changes: next().map_or(base.recent_changes, |pick| {
            let count = pick.of(&[0, 1, 15, 16]);
            let ids: Vec<_> = (0..count).map(|_| scene.memory.change_id()).collect();
            RecentChanges::try_from(ids).unwrap()
        }),
        last_arm: next().map_or(base.last_arm, |pick| pick.of(&[0, 1, 2, 3])),
    }
}

/// A few ids, or as many as there may be.
fn aliases(pick: Pick, scene: &Scene<'_>) -> Vec<ExternalId> {
    if pick.below(4) == 3 {
        let most = SyncRecord::MAX_ALIASES - pick.also().below(2);
        return (0..most).map(|n| ExternalId::new(format!("alias {n}")).unwrap()).collect();
    }
    let picks = [pick, pick.also(), pick.also().also()];
    let count = pick.also().below(4);
    picks.into_iter().take(count).map(|pick| scene.external_id(pick)).collect()
}

/// What there is under this key or another one; where there is nothing, what an update makes.
fn base_of(pick: Pick, scene: &mut Scene<'_>) -> SyncRecord {
    let mut records: Vec<_> = scene.record.iter().cloned().collect();
    records.extend(scene.records().into_iter().cloned());
    if !records.is_empty() {
        return pick.of(&records);
    }
    let updated = sync_tracker_core::rules::updated().with_id(scene.memory.change_id());
    updated.apply_to(&scene.key, None, scene.now).record().cloned().expect("it creates")
}
