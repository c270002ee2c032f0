//! What an inbox does, one function per behaviour.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

use serde_json::json;
use sync_tracker_core::{
    BeginInbox, Begun, ChangeId, DedupeKey, InboxStore, JsonValue, Settled, Source, Ticket,
    Timestamp, Token,
};

use crate::ground::span;
use crate::side_stores::{SideStoreGround, hostile_values, look_alikes, source, value};

type Ground = SideStoreGround<dyn InboxStore>;

const LEASE: u64 = 60_000;
const REMEMBERED: u64 = 500_000;
const TASKS: usize = 16;
const ROUNDS: usize = 20;

fn key(name: &str) -> DedupeKey {
    DedupeKey::new(name).expect("a key")
}

fn request_of(source: &Source, name: &str) -> BeginInbox {
    let request = BeginInbox::new(source.clone(), key(name), span(LEASE), ChangeId::random());
    request.expect("a request")
}

/// A begin of a message of the shop, under a new id.
fn request(name: &str) -> BeginInbox {
    request_of(&source("shop"), name)
}

fn outcome() -> JsonValue {
    value(json!({ "created": [7] }))
}

/// The ticket of an answer that must be fresh.
fn fresh(begun: Begun) -> Ticket {
    match begun {
        Begun::Fresh(ticket) => ticket,
        other => panic!("not fresh: {other:?}"),
    }
}

impl Ground {
    async fn begin(&self, request: &BeginInbox) -> Begun {
        self.store.begin(request).await.expect("the begin is answered")
    }

    /// Begins a message that must be fresh.
    async fn begun(&self, name: &str) -> Ticket {
        fresh(self.begin(&request(name)).await)
    }

    async fn complete(&self, ticket: &Ticket) -> Settled {
        self.complete_with(ticket, &outcome(), REMEMBERED).await
    }

    async fn complete_with(&self, ticket: &Ticket, outcome: &JsonValue, millis: u64) -> Settled {
        let settled = self.store.complete(ticket, outcome, span(millis)).await;
        settled.expect("the completion is answered")
    }

    async fn abandon(&self, ticket: &Ticket) -> Settled {
        self.store.abandon(ticket).await.expect("the abandonment is answered")
    }

    async fn forget(&self, grace: u64) -> u64 {
        let forgotten = self.store.forget_expired(&source("shop"), span(grace)).await;
        forgotten.expect("the housekeeping is answered")
    }

    fn in_progress_for(&self, millis: u64) -> Begun {
        Begun::InProgress { until: self.now().plus(span(millis)) }
    }
}

pub async fn a_message_is_begun_by_one(ground: Ground) {
    let request = request("1");
    let ticket = fresh(ground.begin(&request).await);
    assert_eq!((&ticket.source, &ticket.key), (request.source(), request.key()));
    assert_eq!(ground.begin(&self::request("1")).await, ground.in_progress_for(LEASE));
    ground.begun("2").await;
}

pub async fn a_completed_message_is_answered_with_its_outcome(ground: Ground) {
    let ticket = ground.begun("1").await;
    assert_eq!(ground.complete(&ticket).await, Settled::Done);
    assert_eq!(ground.begin(&request("1")).await, Begun::Done(outcome()));
    ground.advance(LEASE);
    assert_eq!(ground.begin(&request("1")).await, Begun::Done(outcome()));
}

pub async fn an_outcome_is_forgotten_to_the_millisecond(ground: Ground) {
    let ticket = ground.begun("1").await;
    ground.advance(10);
    assert_eq!(ground.complete(&ticket).await, Settled::Done);
    ground.advance(REMEMBERED - 1);
    assert_eq!(ground.begin(&request("1")).await, Begun::Done(outcome()));
    ground.advance(1);
    let again = ground.begun("1").await;
    assert!(again.token > ticket.token);
    assert_eq!(ground.complete_with(&again, &outcome(), 0).await, Settled::Done);
    ground.begun("1").await;
}

pub async fn an_abandoned_message_is_begun_again_at_once(ground: Ground) {
    let ticket = ground.begun("1").await;
    assert_eq!(ground.abandon(&ticket).await, Settled::Done);
    let again = ground.begun("1").await;
    assert!(again.token > ticket.token);
    assert_eq!(ground.begin(&request("1")).await, ground.in_progress_for(LEASE));
    assert_eq!(ground.complete(&again).await, Settled::Done);
    assert_eq!(ground.begin(&request("1")).await, Begun::Done(outcome()));
}

pub async fn a_lease_runs_out_to_the_millisecond(ground: Ground) {
    let ticket = ground.begun("1").await;
    ground.advance(LEASE - 1);
    assert_eq!(ground.begin(&request("1")).await, ground.in_progress_for(1));
    ground.advance(1);
    let again = ground.begun("1").await;
    assert!(again.token > ticket.token);
    assert_eq!(ground.begin(&request("1")).await, ground.in_progress_for(LEASE));
}

pub async fn every_grant_has_a_higher_token(ground: Ground) {
    let mut last = Token::ZERO;
    for round in 0..10 {
        let ticket = ground.begun("1").await;
        assert!(ticket.token > last, "in round {round}");
        last = ticket.token;
        assert_eq!(ground.abandon(&ticket).await, Settled::Done);
        if round == 4 {
            ground.clock.set(Timestamp::from_millis(1_000).unwrap()).unwrap();
        }
    }
    ground.clock.set(Timestamp::from_millis(1_800_000_000_000).unwrap()).unwrap();
    assert_eq!(ground.forget(0).await, 1);
    assert!(ground.begun("1").await.token > last, "also after the entry is gone");
}

pub async fn a_repeated_begin_gets_the_same_ticket(ground: Ground) {
    let request = request("1");
    let ticket = fresh(ground.begin(&request).await);
    for _ in 0..3 {
        assert_eq!(ground.begin(&request).await, Begun::Fresh(ticket.clone()));
    }
    assert_eq!(ground.begin(&self::request("1")).await, ground.in_progress_for(LEASE));
    assert_eq!(ground.complete(&ticket).await, Settled::Done);
}

pub async fn a_repeated_begin_renews_the_lease(ground: Ground) {
    let request = request("1");
    let ticket = fresh(ground.begin(&request).await);
    for _ in 0..3 {
        ground.advance(LEASE / 2);
        assert_eq!(ground.begin(&request).await, Begun::Fresh(ticket.clone()));
        assert_eq!(ground.begin(&self::request("1")).await, ground.in_progress_for(LEASE));
    }
    ground.advance(LEASE + 1);
    assert_eq!(ground.begin(&request).await, Begun::Fresh(ticket), "nobody else began it");
    assert_eq!(ground.begin(&self::request("1")).await, ground.in_progress_for(LEASE));
    ground.advance(LEASE);
    let other = ground.begun("1").await;
    assert_eq!(ground.begin(&request).await, ground.in_progress_for(LEASE), "it is lost");
    assert_eq!(ground.complete(&other).await, Settled::Done);
}

pub async fn a_repeated_begin_of_what_is_settled_grants_nothing(ground: Ground) {
    let completed = request("1");
    assert_eq!(ground.complete(&fresh(ground.begin(&completed).await)).await, Settled::Done);
    assert_eq!(ground.begin(&completed).await, Begun::Done(outcome()));

    let abandoned = request("2");
    assert_eq!(ground.abandon(&fresh(ground.begin(&abandoned).await)).await, Settled::Done);
    assert_eq!(ground.begin(&abandoned).await, ground.in_progress_for(LEASE), "a late copy");
    ground.begun("2").await;
}

pub async fn a_repeated_completion_is_answered_as_the_first(ground: Ground) {
    let ticket = ground.begun("1").await;
    assert_eq!(ground.complete(&ticket).await, Settled::Done);
    ground.advance(10);
    let other = value(json!("other"));
    assert_eq!(ground.complete_with(&ticket, &other, REMEMBERED).await, Settled::Done);
    assert_eq!(ground.begin(&request("1")).await, Begun::Done(outcome()), "the first stays");
    ground.advance(REMEMBERED - 10);
    ground.begun("1").await;
}

pub async fn a_repeated_abandonment_is_answered_as_the_first(ground: Ground) {
    let ticket = ground.begun("1").await;
    assert_eq!(ground.abandon(&ticket).await, Settled::Done);
    assert_eq!(ground.abandon(&ticket).await, Settled::Done);
    ground.begun("1").await;
    assert_eq!(ground.abandon(&ticket).await, Settled::Lost);
    assert_eq!(ground.begin(&request("1")).await, ground.in_progress_for(LEASE));
}

pub async fn a_stale_ticket_cannot_complete(ground: Ground) {
    let stale = ground.begun("1").await;
    ground.advance(LEASE);
    let ticket = ground.begun("1").await;
    assert_eq!(ground.complete(&stale).await, Settled::Lost);
    assert_eq!(ground.begin(&request("1")).await, ground.in_progress_for(LEASE), "no effect");
    let other = value(json!("other"));
    assert_eq!(ground.complete_with(&ticket, &other, REMEMBERED).await, Settled::Done);
    assert_eq!(ground.complete(&stale).await, Settled::Lost);
    assert_eq!(ground.begin(&request("1")).await, Begun::Done(other));
}

pub async fn a_stale_ticket_cannot_abandon(ground: Ground) {
    let stale = ground.begun("1").await;
    ground.advance(LEASE);
    let ticket = ground.begun("1").await;
    assert_eq!(ground.abandon(&stale).await, Settled::Lost);
    assert_eq!(ground.begin(&request("1")).await, ground.in_progress_for(LEASE), "no effect");
    assert_eq!(ground.complete(&ticket).await, Settled::Done);
    assert_eq!(ground.abandon(&stale).await, Settled::Lost);
    assert_eq!(ground.begin(&request("1")).await, Begun::Done(outcome()));
}

pub async fn an_expired_ticket_that_nobody_replaced_still_counts(ground: Ground) {
    let [one, two] = [ground.begun("1").await, ground.begun("2").await];
    ground.advance(LEASE + 1);
    assert_eq!(ground.complete(&one).await, Settled::Done);
    assert_eq!(ground.begin(&request("1")).await, Begun::Done(outcome()));
    assert_eq!(ground.abandon(&two).await, Settled::Done);
    ground.begun("2").await;
}

pub async fn what_was_settled_one_way_is_lost_the_other(ground: Ground) {
    let [one, two] = [ground.begun("1").await, ground.begun("2").await];
    assert_eq!(ground.complete(&one).await, Settled::Done);
    assert_eq!(ground.abandon(&one).await, Settled::Lost);
    assert_eq!(ground.begin(&request("1")).await, Begun::Done(outcome()));
    assert_eq!(ground.abandon(&two).await, Settled::Done);
    assert_eq!(ground.complete(&two).await, Settled::Lost);
    ground.begun("2").await;
}

pub async fn what_was_never_begun_is_lost(ground: Ground) {
    let ticket = Ticket { key: key("2"), ..ground.begun("1").await };
    assert_eq!(ground.complete(&ticket).await, Settled::Lost);
    assert_eq!(ground.abandon(&ticket).await, Settled::Lost);
    ground.begun("2").await;
}

pub async fn a_message_is_of_one_source(ground: Ground) {
    let ticket = ground.begun("1").await;
    let elsewhere = request_of(&source("shop-eu"), "1");
    let other = fresh(ground.begin(&elsewhere).await);
    assert_eq!(ground.complete(&ticket).await, Settled::Done);
    assert_eq!(ground.begin(&elsewhere).await, Begun::Fresh(other.clone()));
    assert_eq!(ground.abandon(&other).await, Settled::Done);
    assert_eq!(ground.begin(&request("1")).await, Begun::Done(outcome()));
}

pub async fn keys_are_compared_byte_by_byte(ground: Ground) {
    let names = look_alikes();
    for name in &names {
        let ticket = ground.begun(name).await;
        assert_eq!(ticket.key.as_str(), name);
        let outcome = value(json!(name));
        assert_eq!(ground.complete_with(&ticket, &outcome, REMEMBERED).await, Settled::Done);
    }
    for name in &names {
        assert_eq!(ground.begin(&request(name)).await, Begun::Done(value(json!(name))));
    }
    for name in &names {
        let ticket = fresh(ground.begin(&request_of(&source(name), "1")).await);
        assert_eq!(ticket.source.as_str(), name);
    }
}

pub async fn outcomes_come_back_as_they_were(ground: Ground) {
    for (number, outcome) in hostile_values().into_iter().enumerate() {
        let name = number.to_string();
        let ticket = ground.begun(&name).await;
        assert_eq!(ground.complete_with(&ticket, &outcome, REMEMBERED).await, Settled::Done);
        assert_eq!(ground.begin(&request(&name)).await, Begun::Done(outcome));
    }
}

pub async fn what_is_of_no_use_is_forgotten(ground: Ground) {
    let [done, abandoned, orphan] =
        [ground.begun("1").await, ground.begun("2").await, ground.begun("3").await];
    assert_eq!(ground.complete_with(&done, &outcome(), LEASE).await, Settled::Done);
    assert_eq!(ground.abandon(&abandoned).await, Settled::Done);
    ground.advance(LEASE + 10);
    assert_eq!(ground.forget(10).await, 0, "for longer than the grace");
    ground.advance(1);
    assert_eq!(ground.forget(10).await, 3);
    assert_eq!(ground.forget(10).await, 0);
    assert_eq!(ground.complete(&orphan).await, Settled::Lost);
    for name in ["1", "2", "3"] {
        ground.begun(name).await;
    }
}

pub async fn what_is_of_use_is_not_forgotten(ground: Ground) {
    let done = ground.begun("1").await;
    assert_eq!(ground.complete(&done).await, Settled::Done);
    let renewed = request("2");
    let ticket = fresh(ground.begin(&renewed).await);
    let elsewhere = fresh(ground.begin(&request_of(&source("shop-eu"), "3")).await);
    ground.advance(LEASE + 1);
    assert_eq!(ground.begin(&renewed).await, Begun::Fresh(ticket.clone()));
    assert_eq!(ground.forget(0).await, 0);
    assert_eq!(ground.begin(&request("1")).await, Begun::Done(outcome()));
    assert_eq!(ground.begin(&request("2")).await, ground.in_progress_for(LEASE));
    assert_eq!(ground.complete(&ticket).await, Settled::Done);
    assert_eq!(ground.complete(&elsewhere).await, Settled::Done, "of another source");
}

pub async fn two_namespaces_do_not_see_each_other(ground: Ground) {
    let ticket = ground.begun("1").await;
    let elsewhere = fresh(ground.by_own_clock.begin(&request("1")).await.expect("answered"));
    let settled = ground.by_own_clock.complete(&elsewhere, &outcome(), span(REMEMBERED)).await;
    assert_eq!(settled.expect("answered"), Settled::Done);
    assert_eq!(ground.begin(&request("1")).await, ground.in_progress_for(LEASE));
    assert_eq!(ground.abandon(&ticket).await, Settled::Done);
    let begun = ground.by_own_clock.begin(&request("1")).await.expect("answered");
    assert_eq!(begun, Begun::Done(outcome()));
}

pub async fn the_stores_own_clock_decides(ground: Ground) {
    let hour = span(60 * 60 * 1_000);
    let long = BeginInbox::new(source("shop"), key("1"), hour, ChangeId::random()).unwrap();
    let store = &ground.by_own_clock;
    fresh(store.begin(&long).await.expect("answered"));
    let Begun::InProgress { until } = store.begin(&request("1")).await.expect("answered") else {
        panic!("it is begun");
    };
    // The server's clock and this machine's may differ, but not by half an hour.
    let expected = Timestamp::now().plus(hour).as_millis();
    assert!(until.as_millis().abs_diff(expected) < hour.get() / 2, "{until}");
}

pub async fn of_many_beginners_one_is_told_fresh(ground: Ground) {
    for round in 0..ROUNDS {
        let name = round.to_string();
        let begun = begin_in_parallel(&ground, TASKS, |_| request(&name)).await;
        let fresh: Vec<_> = begun.iter().filter(|one| matches!(one, Begun::Fresh(_))).collect();
        assert_eq!(fresh.len(), 1);
        let others = begun.iter().filter(|one| **one == ground.in_progress_for(LEASE));
        assert_eq!(others.count(), TASKS - 1);
    }
}

pub async fn a_begin_repeated_in_parallel_gets_one_ticket(ground: Ground) {
    for round in 0..ROUNDS {
        let request = request(&round.to_string());
        let begun = begin_in_parallel(&ground, TASKS, |_| request.clone()).await;
        let tokens: BTreeSet<_> = begun.into_iter().map(|one| fresh(one).token).collect();
        assert_eq!(tokens.len(), 1);
    }
}

pub async fn an_orphan_is_begun_again_by_one(ground: Ground) {
    let mut token = ground.begun("1").await.token;
    for _ in 0..200 {
        ground.advance(LEASE);
        let begun = begin_in_parallel(&ground, 2, |_| request("1")).await;
        let fresh = begun.into_iter().filter_map(|one| match one {
            Begun::Fresh(ticket) => Some(ticket.token),
            _ => None,
        });
        let granted: Vec<_> = fresh.collect();
        assert_eq!(granted.len(), 1);
        assert!(granted[0] > token);
        token = granted[0];
    }
}

async fn begin_in_parallel(
    ground: &Ground,
    tasks: usize,
    request: impl Fn(usize) -> BeginInbox,
) -> Vec<Begun> {
    let begin = |store: Arc<dyn InboxStore>, number| {
        let request = request(number);
        async move { store.begin(&request).await.expect("the begin is answered") }
    };
    ground.race(tasks, begin).await
}

pub async fn a_completion_racing_a_new_begin_is_not_lost(ground: Ground) {
    for round in 0..ROUNDS * 5 {
        let name = round.to_string();
        let ticket = ground.begun(&name).await;
        ground.advance(LEASE);
        // The last to arrive often comes first, so that each is the last in turn.
        let completer = round % 2;
        let said = ground
            .race(2, |store, number| {
                let (ticket, request) = (ticket.clone(), request(&name));
                async move {
                    if number == completer {
                        let settled = store.complete(&ticket, &outcome(), span(REMEMBERED)).await;
                        return settled.expect("answered") == Settled::Done;
                    }
                    store.begin(&request).await.expect("answered") == Begun::Done(outcome())
                }
            })
            .await;
        assert_eq!(said[0], said[1], "it is completed, or begun again");
        let after = ground.begin(&request(&name)).await;
        let expected = if said[0] { Begun::Done(outcome()) } else { ground.in_progress_for(LEASE) };
        assert_eq!(after, expected);
    }
}

pub async fn a_dropped_begin_is_completed_by_its_repeat(ground: Ground) {
    for polls in 0..20 {
        let request = request(&polls.to_string());
        {
            let mut call = std::pin::pin!(ground.store.begin(&request));
            for _ in 0..polls {
                let polled = std::future::poll_fn(|context| {
                    std::task::Poll::Ready(call.as_mut().poll(context).is_ready())
                });
                if polled.await {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        let ticket = fresh(ground.begin(&request).await);
        assert_eq!(ground.complete(&ticket).await, Settled::Done);
    }
}
