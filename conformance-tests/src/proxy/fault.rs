//! What goes wrong on the wire, and when.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server: requests.
    ToServer,
    /// From the server to the client: replies.
    ToClient,
}

/// What goes wrong with one flush, as told at [`FaultProxy`](super::FaultProxy).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WireFault {
    /// The flush is lost and the connection closed.
    ///
    /// To the server: the request does not reach it, and both ends see the connection closed. To
    /// the client: the request was carried out, its reply is thrown away, and the client sees the
    /// connection closed. The server gets all that the client had sent, then the end of it, and
    /// what it still says is read and thrown away until it closes.
    ///
    /// A client that is still sending may see a reset instead, as from any server that goes away.
    Cut,
    /// As [`Cut`](Self::Cut), but where that closes a connection, this resets it (RST).
    Reset,
    /// From here on nothing passes on this connection in either direction, not even its closing,
    /// until the proxy is [healed](super::FaultProxy::heal). Then all that was held back passes, in
    /// order, as after a network that lost packets for a while.
    Silence,
    /// The flush passes this much later.
    Delay(Duration),
    /// The flush passes in pieces of at most so many bytes, each written on its own without
    /// waiting for more (`TCP_NODELAY`). A reader that is slow may still get several at once.
    Slice(NonZeroUsize),
}

/// At which flushes of its direction a fault happens, counted from when it was armed and over all
/// connections.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Trigger {
    /// The next so many.
    Next(u64),
    /// The one with this number, from 1, and no other.
    Nth(u64),
    /// All, until it is [cleared](super::FaultProxy::clear).
    Always,
    /// Each with this probability. The same seed picks the same flushes by their numbers.
    Rate {
        /// The probability, 0 to 1.
        share: f64,
        /// What picks.
        seed: u64,
    },
}

/// A fault that was armed.
#[derive(Clone, Debug)]
pub struct Armed(Arc<AtomicU64>);

impl Armed {
    /// How often it happened so far; also after it was cleared.
    #[must_use]
    pub fn fired(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// What becomes of a flush.
#[derive(Debug, Default)]
pub(super) struct Treatment {
    pub(super) lost: Option<Loss>,
    pub(super) silent: bool,
    pub(super) delay: Duration,
    pub(super) piece: Option<NonZeroUsize>,
}

/// How a connection ends by a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    Cut,
    Reset,
}

/// An armed fault as the proxy keeps it.
#[derive(Debug)]
pub(super) struct Rule {
    fault: WireFault,
    direction: Direction,
    trigger: Trigger,
    random: Option<Box<StdRng>>,
    seen: u64,
    fired: Arc<AtomicU64>,
}

impl Rule {
    pub(super) fn new(fault: WireFault, direction: Direction, trigger: Trigger) -> (Self, Armed) {
        let random = match trigger {
            Trigger::Rate { seed, .. } => Some(Box::new(StdRng::seed_from_u64(seed))),
            Trigger::Next(_) | Trigger::Nth(_) | Trigger::Always => None,
        };
        let fired = Arc::default();
        let armed = Armed(Arc::clone(&fired));
        (Self { fault, direction, trigger, random, seen: 0, fired }, armed)
    }

    /// Whether it happens at the flush that begins now.
    fn fires(&mut self, direction: Direction) -> bool {
        if direction != self.direction {
            return false;
        }
        self.seen += 1;
        let fires = match self.trigger {
            Trigger::Next(flushes) => self.seen <= flushes,
            Trigger::Nth(number) => self.seen == number,
            Trigger::Always => true,
            Trigger::Rate { share, .. } => {
                self.random.as_mut().is_some_and(|random| random.random::<f64>() < share)
            }
        };
        if fires {
            self.fired.fetch_add(1, Ordering::SeqCst);
        }
        fires
    }
}

/// What becomes of the flush that begins now, and how many faults that takes.
pub(super) fn treatment(rules: &mut [Rule], direction: Direction) -> (Treatment, u64) {
    let (mut treatment, mut fired) = (Treatment::default(), 0);
    for rule in rules {
        if !rule.fires(direction) {
            continue;
        }
        fired += 1;
        match rule.fault {
            WireFault::Cut => treatment.lost = Some(Loss::Cut),
            WireFault::Reset => treatment.lost = Some(Loss::Reset),
            WireFault::Silence => treatment.silent = true,
            WireFault::Delay(delay) => treatment.delay += delay,
            WireFault::Slice(bytes) => treatment.piece = Some(bytes),
        }
        if treatment.lost.is_some() {
            break;
        }
    }
    (treatment, fired)
}
