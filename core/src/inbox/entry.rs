//! What the calls of an inbox mean: one pure state machine.

use serde::{Deserialize, Serialize};

use super::{BeginInbox, Begun, Settled, Ticket};
use crate::counter::Token;
use crate::ids::{self, ChangeId};
use crate::json::JsonValue;
use crate::step::Step;
use crate::time::{Millis, Timestamp};

/// What an inbox keeps of one message: the reference that every inbox agrees with.
///
/// A store that works under a lock reads the entry, takes the step and writes what it says; as JSON
/// (by serde) it is safe for every reader.
///
/// ```
/// use sync_tracker_core::{
///     BeginInbox, Begun, ChangeId, DedupeKey, InboxEntry, Millis, Source, Timestamp,
/// };
///
/// let (source, key) = (Source::new("shopify")?, DedupeKey::new("event-1")?);
/// let request = BeginInbox::new(source, key, Millis::new(60_000)?, ChangeId::random())?;
/// let step = InboxEntry::begin(None, &request, Timestamp::now());
/// assert!(matches!(step.answer, Begun::Fresh(_)));
/// assert!(step.write.is_some());
/// # Ok::<(), sync_tracker_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboxEntry {
    token: Token,
    #[serde(with = "ids::as_text")]
    begun_by: Option<ChangeId>,
    until: Timestamp,
    state: State,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// Leased until then.
    Begun,
    /// Given up by its holder, whose lease would have run until then.
    Abandoned,
    /// Remembered until then.
    Completed(JsonValue),
}

impl InboxEntry {
    /// Begins a message at `now`, the store's time.
    ///
    /// 1. A call that is made again, while its ticket counts, gets the same ticket, and the lease
    ///    runs for its length from now: a lost reply costs nothing, and a holder renews so.
    /// 2. A lease that runs, or an outcome that is remembered, is told.
    /// 3. What is left is new, given up, vanished or forgotten: it is granted, with a higher token.
    ///    But a late copy of a call whose ticket was given up grants nothing.
    pub fn begin(entry: Option<&Self>, request: &BeginInbox, now: Timestamp) -> Step<Self, Begun> {
        let lease_ends = now.plus(request.lease());
        let mut token = Token::ZERO;
        if let Some(entry) = entry {
            let until = entry.until;
            let same_call = entry.begun_by == Some(request.id());
            match &entry.state {
                State::Begun if same_call => {
                    let fresh = Begun::Fresh(request.ticket(entry.token));
                    return Step::write(
                        fresh,
                        Self { until: until.max(lease_ends), ..entry.clone() },
                    );
                }
                State::Begun if now < until => return Step::answer(Begun::InProgress { until }),
                State::Abandoned if now < until && same_call => {
                    return Step::answer(Begun::InProgress { until });
                }
                State::Completed(outcome) if now < until => {
                    return Step::answer(Begun::Done(outcome.clone()));
                }
                State::Begun | State::Abandoned | State::Completed(_) => token = entry.token,
            }
        }
        let token = token.grant(now);
        let begun_by = Some(request.id());
        let entry = Self { token, begun_by, until: lease_ends, state: State::Begun };
        Step::write(Begun::Fresh(request.ticket(token)), entry)
    }

    /// Completes a message: from now on it is answered with its outcome, for `remember_for`. Counts
    /// after the lease ran out too, as long as nobody else began the message. The first outcome
    /// stays.
    pub fn complete(
        entry: Option<&Self>,
        ticket: &Ticket,
        outcome: &JsonValue,
        remember_for: Millis,
        now: Timestamp,
    ) -> Step<Self, Settled> {
        let Some(entry) = entry.filter(|entry| entry.token == ticket.token) else {
            return Step::answer(Settled::Lost);
        };
        match entry.state {
            State::Begun => {
                let (state, until) = (State::Completed(outcome.clone()), now.plus(remember_for));
                Step::write(Settled::Done, Self { until, state, ..entry.clone() })
            }
            State::Completed(_) => Step::answer(Settled::Done),
            State::Abandoned => Step::answer(Settled::Lost),
        }
    }

    /// Gives a message up: anybody may begin it at once.
    pub fn abandon(entry: Option<&Self>, ticket: &Ticket) -> Step<Self, Settled> {
        let Some(entry) = entry.filter(|entry| entry.token == ticket.token) else {
            return Step::answer(Settled::Lost);
        };
        match entry.state {
            State::Begun => {
                Step::write(Settled::Done, Self { state: State::Abandoned, ..entry.clone() })
            }
            State::Abandoned => Step::answer(Settled::Done),
            State::Completed(_) => Step::answer(Settled::Lost),
        }
    }

    /// Whether the entry may be removed: its outcome is not remembered any more, or its lease ran
    /// out, for longer than `grace`.
    #[must_use]
    pub fn is_expired(&self, grace: Millis, now: Timestamp) -> bool {
        self.until.plus(grace) < now
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::Result;

    /// Stores keep it, so it must not change.
    #[test]
    fn an_entry_is_written_as_it_always_was() -> Result<()> {
        let (source, key) = ("shop".try_into()?, "1".try_into()?);
        let id = ChangeId::from_bits(u64::MAX);
        let request = BeginInbox::new(source, key, Millis::new(1_000)?, id)?;
        let now = Timestamp::from_millis(5)?;
        let begun = InboxEntry::begin(None, &request, now).write.unwrap();
        let written = |state| {
            json!({
                "token": 5_000,
                "begun_by": "ffffffffffffffff",
                "until": "1970-01-01T00:00:01.005Z",
                "state": state,
            })
        };
        let ticket = request.ticket(begun.token);
        let abandoned = InboxEntry::abandon(Some(&begun), &ticket).write.unwrap();
        let outcome = JsonValue::new(json!([7]))?;
        let remember_for = Millis::new(1_000)?;
        let step = InboxEntry::complete(Some(&begun), &ticket, &outcome, remember_for, now);
        let completed = step.write.unwrap();
        for (entry, state) in [
            (begun, json!("begun")),
            (abandoned, json!("abandoned")),
            (completed, json!({ "completed": [7] })),
        ] {
            let json = serde_json::to_value(&entry).unwrap();
            assert_eq!(json, written(state));
            assert_eq!(serde_json::from_value::<InboxEntry>(json).unwrap(), entry);
        }
        Ok(())
    }
}
