//! What is true of an entity and may be true of its object, without revisions, guards or leases.
//!
//! Local changes are numbered, and what the remote may hold is a set of such numbers; 0 stands for
//! an object that was never there in this life.
//!
//! - A granted lease has a write under way, of the change that was the last one at the grant. A
//!   reported success has landed it, some time between grant and report. So the remote holds that
//!   change for certain, unless somebody asserted a state in between: then it holds either.
//! - A reported failure has landed nothing.
//! - A worker whose lease was taken over vanished: its write may have landed or not, until a later
//!   success or assertion says more.
//! - An assertion says that the remote holds the last change, whatever was known before. A write
//!   that is still under way may land after it.
//! - A deletion that is in the remote ends the life. What is restored then, or had been restored
//!   while the deletion ran, lives anew: nothing of it was ever there, and the writes of the old
//!   life are not followed any more.

use std::fmt;

use sync_tracker_core::Operation;

/// A set of local changes, by their numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Changes(u16);

impl Changes {
    const NONE: Self = Self(0);
    /// That the object was never there in this life.
    const NEVER_THERE: Self = Self(1);

    fn only(number: u32) -> Self {
        Self(1 << number)
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn has(self, number: u32) -> bool {
        Self::only(number).are_all_in(self)
    }

    fn are_all_in(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    fn are_none_in(self, other: Self) -> bool {
        self.0 & other.0 == 0
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries((0..16).filter(|number| self.has(*number))).finish()
    }
}

/// What is true of the entity and may be true of its object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Oracle {
    /// The last local change, from 1; before it the entity is untracked.
    last: u32,
    /// Which changes leave no object: 0 and the deletions.
    absences: Changes,
    /// What the remote may hold, going by successes and assertions.
    reported: Changes,
    /// The write of the lease that counts.
    under_way: Option<u32>,
    /// Whether somebody asserted a state since that lease was granted.
    asserted_meanwhile: bool,
    /// What the writes of vanished workers may have left in the remote.
    vanished: Changes,
    /// Whether a push failed since something else made the job anew.
    failed: bool,
    lives: u32,
}

impl Oracle {
    pub(crate) fn new() -> Self {
        Self {
            last: 0,
            absences: Changes::NEVER_THERE,
            reported: Changes::NEVER_THERE,
            under_way: None,
            asserted_meanwhile: false,
            vanished: Changes::NONE,
            failed: false,
            lives: 1,
        }
    }

    pub(crate) fn is_tracked(&self) -> bool {
        self.last > 0
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.is_tracked() && self.absences.has(self.last)
    }

    /// Whether the record has to be dirty: by all that was reported, the remote may be otherwise.
    pub(crate) fn needs_push(&self) -> bool {
        !self.fits(self.reported)
    }

    /// Whether the remote is as the entity is, whatever may still land or may have landed.
    pub(crate) fn is_settled(&self) -> bool {
        self.fits(self.possible())
    }

    /// Whether there is no object, and never was one in this life.
    pub(crate) fn was_never_there(&self) -> bool {
        self.is_deleted() && self.possible() == Changes::NEVER_THERE
    }

    /// Whether a lease is out, run out or not.
    pub(crate) fn is_leased(&self) -> bool {
        self.under_way.is_some()
    }

    /// Whether it is tried again for a failure, though nothing may be left to push.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    /// Whether a vanished worker may have left something in the remote.
    pub(crate) fn is_unsure(&self) -> bool {
        self.vanished != Changes::NONE
    }

    /// How many lives have begun.
    pub(crate) fn lives(&self) -> u32 {
        self.lives
    }

    /// Everything that the remote may hold, now or when what is under way has landed.
    fn possible(&self) -> Changes {
        let under_way = self.under_way.map_or(Changes::NONE, Changes::only);
        self.reported.and(self.vanished).and(under_way)
    }

    /// Whether the remote is as the entity is, whichever of these it holds: it has no object if
    /// that is deleted, and the last change otherwise.
    fn fits(&self, remote: Changes) -> bool {
        let wanted = if self.is_deleted() { self.absences } else { Changes::only(self.last) };
        remote.are_all_in(wanted)
    }

    pub(crate) fn changed(&mut self) {
        self.last += 1;
    }

    pub(crate) fn deleted(&mut self) {
        self.changed();
        self.absences = self.absences.and(Changes::only(self.last));
        self.failed = false;
    }

    pub(crate) fn restored(&mut self) {
        let was_there = self.reported != Changes::NEVER_THERE;
        let is_over = self.fits(if was_there { self.reported } else { self.possible() });
        self.changed();
        self.failed = false;
        if is_over {
            self.live_anew();
        }
    }

    pub(crate) fn failed(&mut self) {
        self.under_way = None;
        self.failed = true;
    }

    fn live_anew(&mut self) {
        self.reported = Changes::NEVER_THERE;
        self.vanished = Changes::NONE;
        self.under_way = None;
        self.lives += 1;
    }

    pub(crate) fn granted(&mut self) {
        self.lost();
        self.under_way = Some(self.last);
        self.asserted_meanwhile = false;
    }

    /// The lease was taken from its holder.
    pub(crate) fn lost(&mut self) {
        if let Some(write) = self.under_way.take() {
            self.vanished = self.vanished.and(Changes::only(write));
        }
    }

    pub(crate) fn succeeded(&mut self) {
        let Some(write) = self.under_way.take() else { return };
        let before = if self.asserted_meanwhile { self.reported } else { Changes::NONE };
        self.reported = before.and(Changes::only(write));
        self.vanished = Changes::NONE;
        self.failed = false;
        let object_is_gone = self.reported.are_all_in(self.absences);
        if object_is_gone && !self.is_deleted() {
            self.live_anew();
        }
    }

    /// Somebody asserted that the remote holds the last change; without one, that is the first.
    pub(crate) fn asserted(&mut self) {
        self.last = self.last.max(1);
        self.reported = Changes::only(self.last);
        self.vanished = Changes::NONE;
        self.asserted_meanwhile = true;
        self.failed = false;
    }

    /// What a push has to do, unless that depends on what the remote holds.
    pub(crate) fn operation(&self) -> Option<Operation> {
        let remote = self.reported.and(self.vanished);
        if self.is_deleted() {
            Some(Operation::Delete)
        } else if remote.are_all_in(self.absences) {
            Some(Operation::Create)
        } else if remote.are_none_in(self.absences) {
            Some(Operation::Update)
        } else {
            None
        }
    }
}
