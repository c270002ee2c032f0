//! What statement a change needs: its shape, without its values.

use super::{
    AliasesOp, Arm, AttemptsOp, Change, ConflictOp, EchoesOp, ExternalIdDemand, ExternalIdOp,
    FactOp, FailureOp, FlagOp, Guard, HeldOp, IncarnationOp, InstantOp, LeaseOp, MetadataOp, Patch,
    RemoteDemand, RetryOp, RevisionOp, SyncedAtOp, SyncedRevisionOp,
};

/// Which demands and operations occur in a change, without their values.
///
/// A store composes one statement for each shape and keeps it; the values are always bound. The
/// rules have few shapes, but changes of a caller's own may have any: bound what is kept. The
/// optional facts about the remote (its version, what was seen, the base, an echo that is expected no
/// more) count as one: if one of the first three is set, the statement carries all four, bound as
/// null where one is to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shape([ArmShape; Change::MAX_ARMS]);

/// Which demands and operations occur in one arm; 0 is no arm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArmShape(u128);

impl Change {
    /// The shape.
    #[must_use]
    pub fn shape(&self) -> Shape {
        let mut shapes = [ArmShape::default(); Self::MAX_ARMS];
        for (shape, arm) in shapes.iter_mut().zip(&self.arms) {
            *shape = ArmShape::of(arm);
        }
        Shape(shapes)
    }
}

/// Collects small numbers in the bits of a large one.
struct Bits(u128);

impl Bits {
    /// Appends a number below 8.
    fn push(&mut self, number: u8) {
        debug_assert!(self.0.leading_zeros() >= 3, "the arm has more fields than bits");
        self.0 = self.0 << 3 | u128::from(number);
    }

    fn push_present<T>(&mut self, value: Option<&T>) {
        self.push(u8::from(value.is_some()));
    }

    fn push_state(&mut self, demand: Option<bool>) {
        self.push(demand.map_or(0, |wanted| 1 + u8::from(wanted)));
    }
}

impl ArmShape {
    fn of(arm: &Arm) -> Self {
        // The leading 1 tells an arm without demands and operations from no arm.
        let mut bits = Bits(1);
        guard(&mut bits, &arm.when);
        patch(&mut bits, &arm.then);
        Self(bits.0)
    }
}

fn guard(bits: &mut Bits, guard: &Guard) {
    let Guard {
        exists,
        version,
        revision,
        incarnation,
        token,
        leased,
        due,
        deleted,
        dirty,
        known,
        in_doubt,
        held,
        conflict,
        attempts_at_least,
        synced_above,
        external_id,
        echo,
        base_differs,
        remote,
    } = guard;
    for state in [exists, leased, due, deleted, dirty, known, in_doubt, held, conflict] {
        bits.push_state(*state);
    }
    bits.push_present(version.as_ref());
    bits.push_present(revision.as_ref());
    bits.push_present(incarnation.as_ref());
    bits.push_present(token.as_ref());
    bits.push_present(attempts_at_least.as_ref());
    bits.push_present(synced_above.as_ref());
    bits.push_present(echo.as_ref());
    bits.push_present(base_differs.as_ref());
    bits.push(match external_id {
        None => 0,
        Some(ExternalIdDemand::FreeOr(_)) => 1,
        Some(ExternalIdDemand::Is(_)) => 2,
    });
    bits.push(match remote {
        None => 0,
        Some(RemoteDemand::NewerThanAccepted(_)) => 1,
        Some(RemoteDemand::SeenIs(_)) => 2,
    });
}

fn patch(bits: &mut Bits, patch: &Patch) {
    let Patch {
        incarnation,
        external_id,
        aliases,
        revision,
        synced_revision,
        updated_at,
        deleted_at,
        remote_deleted_at,
        sighted_at,
        synced_at,
        remote_version,
        remote_seen,
        base,
        echoes,
        attempts,
        in_doubt,
        held,
        failure,
        retry_at,
        lease,
        conflict,
        metadata,
    } = patch;
    bits.push(match incarnation {
        IncarnationOp::Keep => 0,
        IncarnationOp::Next => 1,
    });
    bits.push(match external_id {
        ExternalIdOp::Keep => 0,
        ExternalIdOp::Set(_) => 1,
        ExternalIdOp::Clear => 2,
        ExternalIdOp::Supersede(_) => 3,
    });
    bits.push(match aliases {
        AliasesOp::Keep => 0,
        AliasesOp::Add(_) => 1,
    });
    bits.push(match revision {
        RevisionOp::Keep => 0,
        RevisionOp::Next => 1,
    });
    bits.push(match synced_revision {
        SyncedRevisionOp::Keep => 0,
        SyncedRevisionOp::Max(_) => 1,
        SyncedRevisionOp::ToRevision => 2,
    });
    for instant in [updated_at, deleted_at, remote_deleted_at, sighted_at] {
        bits.push(match instant {
            InstantOp::Keep => 0,
            InstantOp::Now => 1,
            InstantOp::NowIfNone => 2,
            InstantOp::Clear => 3,
        });
    }
    bits.push(match synced_at {
        SyncedAtOp::Keep => 0,
        SyncedAtOp::Now => 1,
        SyncedAtOp::Clear => 2,
    });
    facts(bits, [fact(remote_version), fact(remote_seen), fact(base)], echoes);
    bits.push(match attempts {
        AttemptsOp::Keep => 0,
        AttemptsOp::Reset => 1,
        AttemptsOp::Charge => 2,
        AttemptsOp::GiveBack => 3,
    });
    bits.push(match in_doubt {
        FlagOp::Keep => 0,
        FlagOp::Set => 1,
        FlagOp::Clear => 2,
    });
    bits.push(match held {
        HeldOp::Keep => 0,
        HeldOp::Dead => 1,
        HeldOp::Dismissed => 2,
        HeldOp::Clear => 3,
    });
    bits.push(match failure {
        FailureOp::Keep => 0,
        FailureOp::Note(_) => 1,
        FailureOp::Clear => 2,
    });
    bits.push(match retry_at {
        RetryOp::Keep => 0,
        RetryOp::After(_) => 1,
        RetryOp::Table(_) => 2,
        RetryOp::Clear => 3,
    });
    bits.push(match lease {
        LeaseOp::Keep => 0,
        LeaseOp::Grant { .. } => 1,
        LeaseOp::Renew { .. } => 2,
        LeaseOp::Drop => 3,
    });
    bits.push(match conflict {
        ConflictOp::Keep => 0,
        ConflictOp::Open(_) => 1,
        ConflictOp::Clear => 2,
    });
    bits.push(match metadata {
        MetadataOp::Keep => 0,
        MetadataOp::Replace(_) => 1,
        MetadataOp::Merge(_) => 2,
    });
}

/// 0 keep, 1 set, 2 clear.
fn fact<T>(op: &FactOp<T>) -> u8 {
    match op {
        FactOp::Keep => 0,
        FactOp::Set(_) => 1,
        FactOp::Clear => 2,
    }
}

/// As soon as one of the facts is set, keeping and setting are one form, and so are keeping the
/// echoes and removing one.
fn facts(bits: &mut Bits, facts: [u8; 3], echoes: &EchoesOp) {
    let any_set = facts.contains(&1);
    for fact in facts {
        bits.push(if fact == 0 && any_set { 1 } else { fact });
    }
    bits.push(match echoes {
        EchoesOp::Keep if any_set => 2,
        EchoesOp::Keep => 0,
        EchoesOp::Push(_) => 1,
        EchoesOp::Remove(_) => 2,
        EchoesOp::Clear => 3,
    });
}
