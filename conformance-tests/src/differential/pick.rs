//! A choice that is made before it is known what there is to choose from.

use sync_tracker_core::{ConflictKind, FailureClass, FailureNote, Millis};

/// Picks one of the candidates that there are when the step is taken. A smaller one picks an
/// earlier candidate, so candidates begin with the plainest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pick(pub(super) u32);

impl Pick {
    /// One of these, of which there must be some.
    pub(super) fn of<T: Clone>(self, candidates: &[T]) -> T {
        candidates[self.below(candidates.len())].clone()
    }

    /// A number below `bound`.
    pub(super) fn below(self, bound: usize) -> usize {
        usize::try_from(self.0).expect("32 bits fit") % bound
    }

    /// Another choice that depends on this one only: its bits, mixed.
    pub(super) fn also(self) -> Self {
        let mixed = self.0.wrapping_mul(0x9e37_79b1);
        Self(mixed ^ (mixed >> 15))
    }

    pub(super) fn span(self) -> Millis {
        let spans = [1, 0, 2, 10, 1_000, 60_000].map(|span| Millis::new(span).unwrap());
        if self.also().below(50) == 49 { Millis::MAX } else { self.of(&spans) }
    }

    pub(super) fn class(self) -> FailureClass {
        self.of(&[
            FailureClass::Transient,
            FailureClass::Throttled,
            FailureClass::Permanent,
            FailureClass::Unknown,
        ])
    }

    pub(super) fn note(self) -> FailureNote {
        let message = self.also().of(&["why", "", "line\nline\t'\"\\ é"]);
        let note = FailureNote::new(self.class(), message);
        match self.also().also().below(3) {
            0 => note,
            1 => note.with_code("429"),
            _ => note.with_code("é'"),
        }
    }

    pub(super) fn conflict_kind(self) -> ConflictKind {
        self.of(&[
            ConflictKind::EditEdit,
            ConflictKind::EditDelete,
            ConflictKind::DeleteEdit,
            ConflictKind::CreateCreate,
            ConflictKind::IdCollision,
        ])
    }
}
