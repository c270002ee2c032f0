//! Observing the remote: is it news?

use crate::change::{
    Arm, AttemptsOp, Change, ConflictOp, EchoesOp, ExternalIdDemand, FactOp, FailureOp, FlagOp,
    Guard, HeldOp, InstantOp, NotNewer, Outcome, Patch, Refusal, RemoteDemand, RetryOp,
    SyncedRevisionOp,
};
use crate::observation::{Freshness, Observation, RemoteState, Verdict};
use crate::record::{ConflictKind, SyncRecord};
use crate::remote::{Fingerprint, VersionOrder};

/// Observes an object of the remote, and notes what was seen. What was *seen* and what was
/// *accepted* are two things: until it is [accepted](super::Accept), a repeat of the same news is
/// news again, so a crash before the local write loses nothing.
///
/// | seen | the entity is not deleted here | the entity is deleted here |
/// |---|---|---|
/// | content that we expect back | [`Echo`](Verdict::Echo), expected no more | `Echo` |
/// | other content than the base, newer | dirty: [`Conflict`](Verdict::Conflict) edit/edit; else [`Newer`](Verdict::Newer) | deletion not pushed: `Conflict` delete/edit; else [`Reappeared`](Verdict::Reappeared) |
/// | the content of the base, newer | [`Same`](Verdict::Same), the version is accepted | deletion not pushed: `Same`; else `Reappeared` |
/// | a deletion, newer | dirty: `Conflict` edit/delete; else [`Deleted`](Verdict::Deleted) | `Same`: nothing is left to push; `Deleted` if it had reappeared |
/// | an older version | [`Stale`](Verdict::Stale) | `Stale` |
/// | the accepted version | the same content, or none to compare: `Same`; else [`Unordered`](Verdict::Unordered) | the same |
/// | versions without order | the content of the base: `Same`; else `Unordered` | `Unordered` |
///
/// Without a version the content alone counts; what is [read](Freshness::ReadSince) counts as newer
/// unless its version is older. Content whose fingerprint has another tag than the base is other
/// content if its version is newer, and the same if it is equal.
///
/// News unsets the base until it is accepted: the local write may have been made and not told, so
/// from then on no content counts as agreed, not even the old one.
///
/// A record is never made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observe<'a> {
    /// The record that has the external id. If the entity was deleted or restored since it was read,
    /// or is bound to another id, the change is refused.
    pub record: &'a SyncRecord,
    /// What was seen.
    pub observation: Observation,
}

/// An arm, and what it means when it is applied.
type Case = (Arm, Verdict);

impl Observe<'_> {
    /// The change.
    #[must_use]
    pub fn change(&self) -> Change {
        Change::of_cases(self.cases().into_iter().map(|(arm, _)| arm).collect())
    }

    /// What the outcome of the change means. `None` if it has to be observed again: the entity was
    /// deleted or restored meanwhile, or is bound to another id, or the record was written since
    /// the object was read.
    #[must_use]
    pub fn verdict(&self, outcome: &Outcome) -> Option<Verdict> {
        let verdict = match outcome {
            Outcome::Applied(applied) => {
                let case = applied.arm.and_then(|arm| self.cases().into_iter().nth(arm.into()));
                // A reply was lost, and the record was written since: reading it tells.
                case.map_or(Verdict::Unordered, |(_, verdict)| verdict)
            }
            Outcome::Refused(refused) => match (&refused.reason, &refused.record) {
                (Refusal::Absent, _) | (_, None) => Verdict::Untracked,
                (Refusal::NotNewer { why }, Some(record)) => self.no_news(*why, record),
                _ => return None,
            },
        };
        let open = outcome.record().and_then(|record| record.conflict);
        let still_open = open.filter(|_| matches!(verdict, Verdict::Newer | Verdict::Deleted));
        Some(still_open.map_or(verdict, |conflict| Verdict::Conflict(conflict.kind)))
    }

    /// What it means that the version is not newer.
    fn no_news(&self, why: NotNewer, record: &SyncRecord) -> Verdict {
        let was_there = record.remote_deleted_at.is_none();
        let (agrees, is_base) = match &self.observation.state {
            RemoteState::Deleted => (!was_there, false),
            RemoteState::Present(None) => (was_there, false),
            RemoteState::Present(Some(content)) => {
                let base = record.base.as_ref();
                // Contents with other tags cannot be told apart.
                let differs =
                    base.is_some_and(|base| base.tag() == content.tag() && base != content);
                (was_there && !differs, was_there && base == Some(content))
            }
        };
        match why {
            _ if self.is_older_than(record) => Verdict::Stale,
            NotNewer::Stale => Verdict::Stale,
            NotNewer::Same if agrees => Verdict::Same,
            NotNewer::Unordered if is_base && !record.is_deleted() => Verdict::Same,
            NotNewer::Same | NotNewer::Unordered => Verdict::Unordered,
        }
    }

    /// A reading whose version is older than what is known comes from a copy that lags behind.
    #[must_use]
    pub fn is_older_than(&self, record: &SyncRecord) -> bool {
        let known = [&record.remote_seen, &record.remote_version];
        let version = self.observation.version.as_ref();
        known
            .into_iter()
            .flatten()
            .any(|known| version.is_some_and(|version| version.order(known) == VersionOrder::Older))
    }

    fn cases(&self) -> Vec<Case> {
        match &self.observation.state {
            RemoteState::Present(content) => self.present(content.as_ref()),
            RemoteState::Deleted => self.deleted(),
        }
    }

    /// Of the object itself, whatever its version.
    fn object(&self) -> Guard {
        Guard {
            external_id: Some(ExternalIdDemand::Is(self.observation.external_id.clone())),
            deleted: Some(self.record.is_deleted()),
            ..Guard::default()
        }
    }

    /// Of news of the object.
    fn news(&self) -> Guard {
        match self.observation.freshness {
            Freshness::ReadSince { incarnation, version } => {
                Guard { incarnation: Some(incarnation), version: Some(version), ..self.object() }
            }
            Freshness::Event => {
                let version = self.observation.version.clone();
                Guard { remote: version.map(RemoteDemand::NewerThanAccepted), ..self.object() }
            }
        }
    }

    fn present(&self, content: Option<&Fingerprint>) -> Vec<Case> {
        let version = self.observation.version.clone().map_or(FactOp::Keep, FactOp::Set);
        let seen = Patch {
            remote_seen: version.clone(),
            remote_deleted_at: InstantOp::Clear,
            sighted_at: InstantOp::Now,
            ..Patch::default()
        };
        let news = Patch { base: FactOp::Clear, ..seen.clone() };
        let known = Patch { remote_version: version.clone(), ..seen.clone() };
        let arm = |when: Guard, then: &Patch| Arm { when, then: then.clone() };
        let dirty = |guard: Guard| Guard { dirty: Some(true), ..guard };
        let differs = |guard: Guard| Guard { base_differs: content.cloned(), ..guard };
        let open = |kind| Patch { conflict: ConflictOp::Open(kind), ..seen.clone() };

        let mut cases = Vec::with_capacity(Change::MAX_ARMS);
        if let Some(content) = content {
            let echo = Guard { echo: Some(content.clone()), ..self.object() };
            let consumed = Patch {
                remote_version: version.clone(),
                remote_seen: version,
                echoes: EchoesOp::Remove(content.clone()),
                ..Patch::default()
            };
            cases.push((arm(echo, &consumed), Verdict::Echo));
        }
        if self.record.is_deleted() {
            if content.is_some() {
                let kind = ConflictKind::DeleteEdit;
                let edited = arm(differs(dirty(self.news())), &open(kind));
                cases.push((edited, Verdict::Conflict(kind)));
            }
            cases.push((arm(dirty(self.news()), &known), Verdict::Same));
            cases.push((arm(self.news(), &seen), Verdict::Reappeared));
        } else {
            if content.is_some() {
                let kind = ConflictKind::EditEdit;
                let edited = arm(differs(dirty(self.news())), &open(kind));
                cases.push((edited, Verdict::Conflict(kind)));
                cases.push((arm(differs(self.news()), &news), Verdict::Newer));
                cases.push((arm(self.news(), &known), Verdict::Same));
            } else {
                cases.push((arm(self.news(), &news), Verdict::Newer));
            }
        }
        cases
    }

    fn deleted(&self) -> Vec<Case> {
        let version = self.observation.version.clone().map_or(FactOp::Keep, FactOp::Set);
        let seen = Patch {
            remote_seen: version.clone(),
            remote_deleted_at: InstantOp::NowIfNone,
            ..Patch::default()
        };
        if self.record.is_deleted() {
            let agreed = gone(Patch { remote_version: version, ..seen });
            // It had reappeared, and may have been taken over without being accepted.
            let may_be_here = !self.record.is_dirty() && self.record.remote_deleted_at.is_none();
            let verdict = if may_be_here { Verdict::Deleted } else { Verdict::Same };
            let when = Guard {
                incarnation: Some(self.record.incarnation),
                version: Some(self.record.version),
                ..self.news()
            };
            return vec![(Arm { when, then: agreed }, verdict)];
        }
        let kind = ConflictKind::EditDelete;
        let open = Patch { conflict: ConflictOp::Open(kind), ..seen.clone() };
        let dirty = Guard { dirty: Some(true), ..self.news() };
        vec![
            (Arm { when: dirty, then: open }, Verdict::Conflict(kind)),
            (
                Arm { when: self.news(), then: Patch { base: FactOp::Clear, ..seen } },
                Verdict::Deleted,
            ),
        ]
    }
}

/// The entity is deleted on both sides: nothing is left to push. A lease stays with its holder.
pub(super) fn gone(patch: Patch) -> Patch {
    Patch {
        synced_revision: SyncedRevisionOp::ToRevision,
        attempts: AttemptsOp::Reset,
        in_doubt: FlagOp::Clear,
        held: HeldOp::Clear,
        failure: FailureOp::Clear,
        retry_at: RetryOp::Clear,
        conflict: ConflictOp::Clear,
        ..patch
    }
}
