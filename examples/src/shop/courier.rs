//! Delivers the events of a shop, as the internet does: late, out of order, twice, or not at all.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use reqwest::Client;
use tokio::task::{JoinHandle, JoinSet};

use super::events::{ShopEvent, ShopEvents};

/// How events are delivered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Manners {
    /// What chance is made of.
    pub seed: u64,
    /// The share of events that are delivered twice.
    pub twice: f64,
    /// The share of events that are lost.
    pub lost: f64,
    /// The share of events that only say that a product changed, not to what.
    pub thin: f64,
    /// The longest that an event is under way; each takes its own time, so they overtake.
    pub longest: Duration,
}

/// What a courier did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    /// Events of the shop.
    pub events: u64,
    /// Events that were lost.
    pub lost: u64,
    /// Events that were delivered a second time.
    pub twice: u64,
    /// Deliveries that were refused, and made again.
    pub refused: u64,
}

/// Delivers events to an address until it is dropped.
#[derive(Debug)]
pub struct Courier {
    waiting: Arc<AtomicU64>,
    sent: Arc<Mutex<Sent>>,
    task: JoinHandle<()>,
}

/// How long to wait before a delivery that was refused is made again.
const AGAIN: Duration = Duration::from_millis(20);

impl Courier {
    /// Begins to deliver. A delivery that is not answered by a success is made again and again.
    #[must_use]
    pub fn start(events: ShopEvents, to: String, manners: Manners) -> Self {
        let sent = Arc::<Mutex<Sent>>::default();
        let ShopEvents { mut events, waiting } = events;
        let (note, left) = (Arc::clone(&sent), Arc::clone(&waiting));
        let task = tokio::spawn(async move {
            let mut chance = StdRng::seed_from_u64(manners.seed);
            let (client, mut under_way) = (Client::new(), JoinSet::new());
            while let Some(mut event) = events.recv().await {
                while under_way.try_join_next().is_some() {}
                let mut happens = |share: f64| chance.random_bool(share);
                let (lost, twice) = (happens(manners.lost), happens(manners.twice));
                if happens(manners.thin) {
                    event.product = None;
                }
                {
                    let mut sent = note.lock().unwrap_or_else(PoisonError::into_inner);
                    sent.events += 1;
                    sent.lost += u64::from(lost);
                    sent.twice += u64::from(twice && !lost);
                }
                let copies = if lost { 0 } else { 1 + u64::from(twice) };
                left.fetch_add(copies, Ordering::SeqCst);
                for _ in 0..copies {
                    let delay = manners.longest.mul_f64(chance.random::<f64>());
                    let (client, to, event) = (client.clone(), to.clone(), event.clone());
                    let (note, left) = (Arc::clone(&note), Arc::clone(&left));
                    under_way.spawn(async move {
                        tokio::time::sleep(delay).await;
                        deliver(&client, &to, &event, &note).await;
                        left.fetch_sub(1, Ordering::SeqCst);
                    });
                }
                left.fetch_sub(1, Ordering::SeqCst);
            }
        });
        Self { waiting, sent, task }
    }

    /// How many deliveries are still to be made.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::SeqCst)
    }

    /// What was done so far.
    #[must_use]
    pub fn sent(&self) -> Sent {
        *self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Courier {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn deliver(client: &Client, to: &str, event: &ShopEvent, note: &Mutex<Sent>) {
    loop {
        let answer = client.post(to).json(event).send().await;
        if answer.is_ok_and(|answer| answer.status().is_success()) {
            return;
        }
        note.lock().unwrap_or_else(PoisonError::into_inner).refused += 1;
        tokio::time::sleep(AGAIN).await;
    }
}
