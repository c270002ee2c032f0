//! An inbox with one bug, or none.

use std::collections::HashMap;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use sync_tracker_conformance::{Setup, with_inbox_behaviours};
use sync_tracker_core::{
    BeginInbox, Begun, DedupeKey, InboxEntry, InboxStore, JsonValue, Millis, Result, Settled,
    Source, Step, StoreClock, Ticket, Timestamp, Token,
};
use tokio::task::yield_now;

use crate::{Case, bugs, failing};

bugs! {
    BeginTorn = a_begin_is_judged_before_it_is_written,
    OrphanTorn = an_orphan_is_judged_before_it_is_begun_again,
    CompletionTorn = a_completion_is_judged_before_it_is_written,
    StaleCompletes = a_stale_ticket_completes,
    StaleAbandons = a_stale_ticket_abandons,
    ExpiredRefused = a_ticket_is_lost_when_its_lease_runs_out,
    CompletesAbandoned = what_was_abandoned_can_be_completed,
    AbandonsCompleted = what_was_completed_can_be_abandoned,
    DoneForgotten = an_outcome_is_forgotten_at_once,
    DoneForEver = an_outcome_is_never_forgotten,
    DoneTooLong = an_outcome_is_forgotten_a_millisecond_late,
    FailedIsDone = what_was_abandoned_is_remembered_as_done,
    AbandonIgnored = an_abandoned_message_stays_leased,
    LeaseTooLong = a_lease_runs_out_a_millisecond_late,
    LeaseEndless = a_lease_never_runs_out,
    RepeatInProgress = a_repeated_begin_is_in_progress_with_itself,
    RepeatGrants = a_repeated_begin_gets_another_ticket,
    RepeatRenewsNothing = a_repeated_begin_leaves_the_lease_as_it_was,
    LateCopyGrants = a_late_copy_of_an_abandoned_begin_grants,
    LastOutcomeStays = a_repeated_completion_replaces_the_outcome,
    RepeatOfDoneLost = a_repeated_completion_is_lost,
    OutcomeLost = an_outcome_is_not_told,
    OutcomeNullsDropped = an_outcome_that_is_null_comes_back_as_an_object,
    OutcomeAsFloat = integers_in_outcomes_come_back_as_floats,
    TokensByCount = a_token_is_a_count_and_used_again,
    SourcesShared = a_message_is_of_every_source,
    KeysFolded = keys_are_compared_without_case,
    KeysTrimmed = keys_are_trimmed,
    ForgetsLive = housekeeping_forgets_everything,
    ForgetsNothing = housekeeping_forgets_nothing,
    ForgetsAtOnce = housekeeping_knows_no_grace,
    ForgetsEverywhere = housekeeping_is_of_every_source,
    NamespacesShared = namespaces_share_their_entries,
    ClockIgnored = the_clock_of_the_machine_decides,
    ServerClockIgnored = the_time_of_the_server_is_not_read,
}

type Entries = HashMap<(String, String), InboxEntry>;
type Open = Box<dyn Fn(Setup) -> Ready<Store> + Send>;

const CASES: &[Case<Open>] = with_inbox_behaviours!(listed_cases inbox, Open,);

/// The behaviours that fail on the store with a bug, or without.
pub(crate) fn failed(bug: Option<Bug>) -> Vec<&'static str> {
    failing(CASES, || {
        let shared: Arc<Mutex<Entries>> = Arc::default();
        Box::new(move |setup| {
            let is_shared = bug == Some(Bug::NamespacesShared);
            let entries = if is_shared { Arc::clone(&shared) } else { Arc::default() };
            ready(Store { bug, entries, clock: setup.clock })
        })
    })
}

#[derive(Debug)]
struct Store {
    bug: Option<Bug>,
    entries: Arc<Mutex<Entries>>,
    clock: StoreClock,
}

impl Store {
    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        match self.bug {
            Some(Bug::ClockIgnored) => Timestamp::now(),
            Some(Bug::ServerClockIgnored) => self.clock.explicit_now().unwrap_or(Timestamp::MIN),
            _ => self.clock.explicit_now().unwrap_or_else(Timestamp::now),
        }
    }

    fn slot(&self, source: &Source, key: &DedupeKey) -> (String, String) {
        let source = if self.has(Bug::SourcesShared) { "" } else { source.as_str() };
        let key = match self.bug {
            Some(Bug::KeysFolded) => key.as_str().to_lowercase(),
            Some(Bug::KeysTrimmed) => key.as_str().trim().to_owned(),
            _ => key.as_str().to_owned(),
        };
        (source.to_owned(), key)
    }

    /// Takes a step, in one go unless it is the bug that it is not.
    async fn step<A>(
        &self,
        torn: bool,
        slot: (String, String),
        take: impl FnOnce(Option<InboxEntry>, Timestamp) -> Step<InboxEntry, A>,
    ) -> A {
        let read = self.entries().get(&slot).cloned();
        if torn {
            yield_now().await;
        }
        let mut entries = self.entries();
        let entry = if torn { read } else { entries.get(&slot).cloned() };
        let Step { answer, write } = take(entry, self.now());
        if let Some(entry) = write {
            entries.insert(slot, entry);
        }
        answer
    }

    /// What the bug makes of an entry before it is judged.
    fn seen(&self, entry: InboxEntry, request: &BeginInbox, now: Timestamp) -> InboxEntry {
        let fields = Fields::of(&entry);
        let same_call = fields.begun_by == json!(request.id().to_string());
        let at_its_end = fields.until == now;
        let late = json!(now.plus(Millis::new(1).expect("short")));
        let edit = |name: &str, value: Value| fields.with(name, value);
        match self.bug {
            Some(Bug::LeaseTooLong) if fields.is("begun") && at_its_end && !same_call => {
                edit("until", late)
            }
            Some(Bug::DoneTooLong) if fields.is_completed() && at_its_end => edit("until", late),
            Some(Bug::LeaseEndless) if fields.is("begun") => edit("until", json!(Timestamp::MAX)),
            Some(Bug::AbandonIgnored) if fields.is("abandoned") => edit("state", json!("begun")),
            Some(Bug::LateCopyGrants) if fields.is("abandoned") => edit("begun_by", json!(null)),
            Some(Bug::RepeatInProgress) if fields.is("begun") => edit("begun_by", json!(null)),
            Some(Bug::RepeatGrants) if fields.is("begun") && same_call => {
                edit("state", json!({ "completed": null, })).until(Timestamp::MIN)
            }
            _ => return entry,
        }
        .entry()
    }
}

/// The fields of an entry, by the names that they have as JSON.
#[derive(Clone)]
struct Fields {
    json: Value,
    begun_by: Value,
    until: Timestamp,
}

impl Fields {
    fn of(entry: &InboxEntry) -> Self {
        let json = serde_json::to_value(entry).expect("it is JSON");
        let begun_by = json["begun_by"].clone();
        let until = serde_json::from_value(json["until"].clone()).expect("an instant");
        Self { json, begun_by, until }
    }

    fn is(&self, state: &str) -> bool {
        self.json["state"] == state
    }

    fn is_completed(&self) -> bool {
        self.json["state"].is_object()
    }

    fn token(&self) -> Token {
        serde_json::from_value(self.json["token"].clone()).expect("a token")
    }

    fn with(&self, name: &str, value: Value) -> Self {
        let mut edited = self.clone();
        edited.json[name] = value;
        edited
    }

    fn until(&self, until: Timestamp) -> Self {
        self.with("until", json!(until))
    }

    fn entry(self) -> InboxEntry {
        serde_json::from_value(self.json).expect("an entry")
    }
}

#[async_trait::async_trait]
impl InboxStore for Store {
    async fn begin(&self, request: &BeginInbox) -> Result<Begun> {
        let slot = self.slot(request.source(), request.key());
        let known = self.entries().contains_key(&slot);
        let torn = self.has(Bug::BeginTorn) || self.has(Bug::OrphanTorn) && known;
        let mut begun = self
            .step(torn, slot, |entry, now| {
                let was_there = entry.is_some();
                let entry = entry.map(|entry| self.seen(entry, request, now));
                let before = entry.as_ref().map(Fields::of);
                let mut step = InboxEntry::begin(entry.as_ref(), request, now);
                if self.has(Bug::TokensByCount)
                    && let (Begun::Fresh(ticket), false) = (&mut step.answer, was_there)
                {
                    ticket.token = Token::new(1).expect("a token");
                    let written = step.write.as_ref().map(Fields::of);
                    step.write = written.map(|fields| fields.with("token", json!(1)).entry());
                }
                let same_call = |before: &Fields| {
                    before.is("begun") && before.begun_by == json!(request.id().to_string())
                };
                if self.has(Bug::RepeatRenewsNothing) && before.as_ref().is_some_and(same_call) {
                    step.write = None;
                }
                step
            })
            .await;
        if let Begun::Done(outcome) = &mut begun {
            let told = match (self.bug, outcome.as_value()) {
                (Some(Bug::OutcomeLost), _) => json!(null),
                (Some(Bug::OutcomeNullsDropped), Value::Null) => json!({}),
                (Some(Bug::OutcomeAsFloat), Value::Number(number)) => json!(number.as_f64()),
                (_, told) => told.clone(),
            };
            *outcome = JsonValue::new(told)?;
        }
        Ok(begun)
    }

    async fn complete(
        &self,
        ticket: &Ticket,
        outcome: &JsonValue,
        remember_for: Millis,
    ) -> Result<Settled> {
        let remember_for = match self.bug {
            Some(Bug::DoneForgotten) => Millis::ZERO,
            Some(Bug::DoneForEver) => Millis::MAX,
            _ => remember_for,
        };
        let slot = self.slot(&ticket.source, &ticket.key);
        let complete = |entry: Option<InboxEntry>, now| {
            let (mut ticket, mut entry) = (ticket.clone(), entry);
            if let Some(fields) = entry.as_ref().map(Fields::of) {
                let current = fields.token() == ticket.token;
                let begun = || Some(fields.with("state", json!("begun")).entry());
                match self.bug {
                    Some(Bug::StaleCompletes) => ticket.token = fields.token(),
                    Some(Bug::ExpiredRefused) if fields.is("begun") && fields.until <= now => {
                        entry = None;
                    }
                    Some(Bug::CompletesAbandoned) if fields.is("abandoned") => entry = begun(),
                    Some(Bug::LastOutcomeStays) if fields.is_completed() && current => {
                        entry = begun();
                    }
                    Some(Bug::RepeatOfDoneLost) if fields.is_completed() => entry = None,
                    _ => {}
                }
            }
            InboxEntry::complete(entry.as_ref(), &ticket, outcome, remember_for, now)
        };
        Ok(self.step(self.has(Bug::CompletionTorn), slot, complete).await)
    }

    async fn abandon(&self, ticket: &Ticket) -> Result<Settled> {
        if self.has(Bug::FailedIsDone) {
            return self.complete(ticket, &JsonValue::default(), Millis::MAX).await;
        }
        let slot = self.slot(&ticket.source, &ticket.key);
        let abandon = |entry: Option<InboxEntry>, now| {
            let (mut ticket, mut entry) = (ticket.clone(), entry);
            if let Some(fields) = entry.as_ref().map(Fields::of) {
                match self.bug {
                    Some(Bug::StaleAbandons) => ticket.token = fields.token(),
                    Some(Bug::ExpiredRefused) if fields.is("begun") && fields.until <= now => {
                        entry = None;
                    }
                    Some(Bug::AbandonsCompleted) if fields.is_completed() => {
                        entry = Some(fields.with("state", json!("begun")).entry());
                    }
                    _ => {}
                }
            }
            InboxEntry::abandon(entry.as_ref(), &ticket)
        };
        Ok(self.step(false, slot, abandon).await)
    }

    async fn forget_expired(&self, source: &Source, grace: Millis) -> Result<u64> {
        let grace = if self.has(Bug::ForgetsAtOnce) { Millis::ZERO } else { grace };
        if self.has(Bug::ForgetsNothing) {
            return Ok(0);
        }
        let now = self.now();
        let mut entries = self.entries();
        let before = entries.len();
        entries.retain(|(of, _), entry| {
            let elsewhere = of.as_str() != source.as_str() && !self.has(Bug::SourcesShared);
            let expired = entry.is_expired(grace, now) || self.has(Bug::ForgetsLive);
            !expired || elsewhere && !self.has(Bug::ForgetsEverywhere)
        });
        Ok((before - entries.len()).try_into().expect("few"))
    }
}
