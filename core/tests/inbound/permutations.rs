//! Events in any order, with duplicates and crashes, end in the state that they end in when they
//! come in order.

use proptest::collection::vec;
use proptest::prelude::*;
use sync_tracker_core::{Observed, RemoteVersion, Status, Verdict};

use super::scene::{ID, SHOP, Scene, content, etag, run, value, version};

/// What became of the object at one version: a content, or its deletion.
type Happened = Option<i64>;

/// An application that keeps the content of one product, and is told events about it.
struct Application {
    scene: Scene,
    /// What is in its own database; nothing if it is deleted.
    local: Happened,
}

/// Where the application crashes while it takes an event over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Crash {
    Never,
    BeforeTheLocalWrite,
    BeforeAccepting,
}

impl Application {
    async fn in_step() -> Self {
        Self { scene: Scene::in_step().await, local: Some(1) }
    }

    /// Takes over what is news. Whether it crashed, so that the event will be delivered again.
    async fn take_over(&mut self, observed: &Observed, state: Happened, crash: Crash) -> bool {
        if crash == Crash::BeforeTheLocalWrite {
            return true;
        }
        self.local = state;
        if crash == Crash::BeforeAccepting {
            return true;
        }
        let accepted = self.scene.tracker.accept_remote(observed).await.unwrap();
        assert!(accepted.is_applied(), "{:?}", accepted.refusal());
        false
    }

    /// An event whose version has an order.
    async fn hear(&mut self, stamp: i64, state: Happened, crash: Crash) -> bool {
        let observed = self.scene.observe(Some(version(stamp)), state).await;
        match observed.verdict {
            Verdict::Newer | Verdict::Deleted | Verdict::Reappeared => {
                self.take_over(&observed, state, crash).await
            }
            Verdict::Same | Verdict::Stale => false,
            other => panic!("{other:?}"),
        }
    }

    /// An event whose version has none: what cannot be told is read from the remote.
    async fn hear_of(
        &mut self,
        tag: i64,
        state: Happened,
        now: (i64, Happened),
        crash: Crash,
    ) -> bool {
        let observed = self.scene.observe(Some(etag(tag)), state).await;
        if observed.verdict.is_settled() {
            return false;
        }
        let (tag, state) = now;
        let read = self.scene.tracker.observe(SHOP, "product", ID).version(etag(tag));
        let read = match state {
            Some(number) => read.content(&value(number)),
            None => read.deleted(),
        };
        let observed = read.read_since(&self.scene.record().await).await.unwrap();
        match observed.verdict {
            Verdict::Newer | Verdict::Deleted | Verdict::Reappeared => {
                self.take_over(&observed, state, crash).await
            }
            Verdict::Same => false,
            other => panic!("{other:?}"),
        }
    }

    /// What both sides came to.
    async fn end(&self) -> (Happened, Status, Option<RemoteVersion>, Option<RemoteVersion>) {
        let record = self.scene.record().await;
        if let Some(number) = self.local {
            assert_eq!(record.base, Some(content(number)), "the base is what is here");
        }
        (self.local, record.status(), record.remote_version.clone(), record.remote_seen)
    }
}

/// The end of a history that is delivered in this order, by the places of its events. What a crash
/// cut off is delivered again at the end.
async fn delivered(
    history: &[Happened],
    order: &[usize],
    crashes: &[Crash],
) -> (Happened, Status, Option<RemoteVersion>, Option<RemoteVersion>) {
    let mut application = Application::in_step().await;
    let mut again = Vec::new();
    for (turn, place) in order.iter().enumerate() {
        let crash = crashes.get(turn).copied().unwrap_or(Crash::Never);
        let stamp = 11 + i64::try_from(*place).unwrap();
        if application.hear(stamp, history[*place], crash).await {
            again.push(*place);
        }
    }
    for place in again {
        let stamp = 11 + i64::try_from(place).unwrap();
        assert!(!application.hear(stamp, history[place], Crash::Never).await);
    }
    application.end().await
}

fn happened() -> impl Strategy<Value = Happened> {
    prop_oneof![4 => (1..4_i64).prop_map(Some), 1 => Just(None)]
}

fn crash() -> impl Strategy<Value = Crash> {
    prop_oneof![
        6 => Just(Crash::Never),
        1 => Just(Crash::BeforeTheLocalWrite),
        1 => Just(Crash::BeforeAccepting),
    ]
}

/// A history, the order in which its events are delivered, each once or more, and crashes.
fn delivery() -> impl Strategy<Value = (Vec<Happened>, Vec<usize>, Vec<Crash>)> {
    vec(happened(), 1..7).prop_flat_map(|history| {
        let places = 0..history.len();
        let once: Vec<usize> = places.clone().collect();
        let order = vec(places, 0..8).prop_flat_map(move |more| {
            let all: Vec<usize> = once.iter().copied().chain(more).collect();
            Just(all).prop_shuffle()
        });
        (Just(history), order, vec(crash(), 0..14))
    })
}

#[test]
fn every_order_of_three_events_up_to_six_deliveries_ends_as_in_order() {
    let states = [Some(1), Some(2), None];
    let mut cases = 0;
    for history in (0..27).map(|n| [states[n % 3], states[n / 3 % 3], states[n / 9]]) {
        let in_order = run(delivered(&history, &[0, 1, 2], &[]));
        for deliveries in 3..=6_u32 {
            for code in 0..3_usize.pow(deliveries) {
                let order: Vec<usize> =
                    (0..deliveries).map(|turn| code / 3_usize.pow(turn) % 3).collect();
                if (0..3).all(|place| order.contains(&place)) {
                    assert_eq!(run(delivered(&history, &order, &[])), in_order, "{order:?}");
                    cases += 1;
                }
            }
        }
    }
    println!("{cases} orders of 27 histories");
}

proptest! {
    #[test]
    fn events_in_any_order_with_duplicates_and_crashes_end_as_in_order(
        (history, order, crashes) in delivery(),
    ) {
        let in_order: Vec<usize> = (0..history.len()).collect();
        let expected = run(delivered(&history, &in_order, &[]));
        prop_assert_eq!(run(delivered(&history, &order, &crashes)), expected);
    }

    #[test]
    fn events_without_an_order_end_at_what_is_in_the_remote(
        (history, order, crashes) in delivery(),
        lag in 0..3_usize,
    ) {
        run(async {
            let mut application = Application::in_step().await;
            let stamp = |place: usize| 11 + i64::try_from(place).unwrap();
            let last = history.len() - 1;
            let mut queue: Vec<(usize, Crash)> = order
                .iter()
                .enumerate()
                .map(|(turn, place)| (*place, crashes.get(turn).copied().unwrap_or(Crash::Never)))
                .collect();
            // The remote moves on while events come: a reading shows what is there by then.
            let mut newest = 0;
            while !queue.is_empty() {
                let (place, crash) = queue.remove(0);
                newest = newest.max(place + lag).min(last);
                let now = (stamp(newest), history[newest]);
                if application.hear_of(stamp(place), history[place], now, crash).await {
                    queue.push((place, Crash::Never));
                }
            }
            // Whoever was last to change it has told so by now.
            let now = (stamp(last), history[last]);
            application.hear_of(now.0, now.1, now, Crash::Never).await;
            prop_assert_eq!(application.local, history[last]);
            let record = application.scene.record().await;
            prop_assert_eq!(record.is_deleted(), history[last].is_none());
            Ok(())
        })?;
    }
}
