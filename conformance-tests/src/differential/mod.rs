//! Random sequences of calls on a store and on the reference, which must agree after each.

mod action;
mod case;
mod compare;
#[cfg(test)]
mod coverage;
mod generate;
mod pick;
mod resolve;
mod scene;
mod sketch;
mod steps;
mod universe;

use std::fmt;
use std::future::Future;
use std::panic::{self, AssertUnwindSafe};

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tokio::runtime::{Builder, Runtime};

pub(crate) use self::action::{Action, Answer};
use self::case::{Trace, play};
use self::compare::Found;
use self::scene::mixed;
use self::steps::Step;
use crate::environment::variable;
use crate::ground::{Fixture, Setup};

/// Makes one test of it: random sequences of changes, claims and queries on any store, compared
/// with the reference ledger.
///
/// Takes what [`suite!`](crate::suite) takes. How it is run, and how a failure is repeated, is
/// told at [`Differential`].
///
/// ```
/// # use sync_tracker_conformance::Setup;
/// # use sync_tracker_memory::MemoryStore;
/// async fn store(setup: Setup) -> MemoryStore {
///     MemoryStore::with_clock(setup.clock)
/// }
///
/// sync_tracker_conformance::differential!(store);
///
/// mod on_a_server {
/// #   use super::*;
///     sync_tracker_conformance::differential!(store, #[ignore = "needs MY_SERVER_URL"]);
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! differential {
    ($factory:expr $(, #[$attribute:meta])* $(,)?) => {
        #[test]
        $(#[$attribute])*
        fn random_sequences_agree_with_the_reference() {
            $crate::Differential::new($factory).run();
        }
    };
}

/// Plays random sequences of calls on a store and on the [`Ledger`](sync_tracker_core::Ledger),
/// and compares.
///
/// Each case opens the store on a namespace of its own and by a clock that the driver moves, often
/// to where something becomes due, or the instant before or after. Its steps are what the rules
/// make of events, changes of nobody's rules with any demand and any operation, claims, imports,
/// removals, renames, pauses, batches and lookups, with values equal to and next to those that are
/// there. After each step the answer, every record, every external id, a walk over pages,
/// statistics and pauses must be those of the reference; and now and then the store must find
/// nothing to complain about in [`verify`](sync_tracker_core::SyncStore::verify).
///
/// What differs is shrunk to few steps and told with its seed. These variables of the environment
/// come before what the code says:
///
/// - `SYNC_TRACKER_SEED`: begins with this case, as a failure tells it;
/// - `SYNC_TRACKER_CASES`: plays as many, for the long form;
/// - `SYNC_TRACKER_STEPS`: of at most as many steps each.
///
/// ```
/// use sync_tracker_conformance::Differential;
/// use sync_tracker_memory::MemoryStore;
///
/// let open = |setup: sync_tracker_conformance::Setup| async move {
///     MemoryStore::with_clock(setup.clock)
/// };
/// Differential::new(open).cases(2).steps(10).run();
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing is played until it is run"]
pub struct Differential<S> {
    open: S,
    cases: u32,
    steps: usize,
    seed: Option<u64>,
    shrinking: u32,
}

/// How much was played without a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Played {
    /// How many cases.
    pub cases: u32,
    /// How many steps in all of them.
    pub steps: usize,
}

/// A sequence of steps after which a store and the reference differ. Printed, it says all that is
/// known: what was done, where they differ, and how to repeat it.
#[derive(Clone, Debug)]
pub struct Divergence {
    /// The case, from 0.
    pub case: u32,
    /// The step of the case at which it was found, from 1, before the sequence was shrunk.
    pub step: usize,
    /// Begins with this case where it is the [seed](Differential::seed).
    pub seed: u64,
    /// Of how many steps at most the cases were.
    pub steps: usize,
    /// The actions of the sequence that is left after shrinking.
    pub actions: Vec<String>,
    /// Where they differ after the last action.
    pub found: String,
}

impl<S, O> Differential<S>
where
    S: Fn(Setup) -> O,
    O: Future<Output: Fixture>,
{
    /// How many cases are played by default.
    pub const CASES: u32 = 100;
    /// How many steps a case has at most by default.
    pub const STEPS: usize = 200;

    /// Plays on the store that `open` opens.
    pub fn new(open: S) -> Self {
        Self { open, cases: Self::CASES, steps: Self::STEPS, seed: None, shrinking: 4_000 }
    }

    /// Plays this many cases.
    pub fn cases(self, cases: u32) -> Self {
        Self { cases, ..self }
    }

    /// Plays cases of 1 to this many steps.
    pub fn steps(self, steps: usize) -> Self {
        Self { steps, ..self }
    }

    /// Plays the same cases each time. Without a seed they are others each time.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// Tries at most this many shorter forms of a sequence that fails, instead of 4,000.
    pub fn shrinking(self, tries: u32) -> Self {
        Self { shrinking: tries, ..self }
    }

    /// Plays, as the environment says or else the code.
    ///
    /// # Panics
    ///
    /// If the store and the reference differ, or the environment cannot be understood.
    pub fn run(self) {
        let Self { cases, steps, seed, .. } = self;
        let played = Self {
            cases: variable("SYNC_TRACKER_CASES", |text| text.parse().ok()).unwrap_or(cases),
            steps: variable("SYNC_TRACKER_STEPS", |text| text.parse().ok()).unwrap_or(steps),
            seed: variable("SYNC_TRACKER_SEED", |text| u64::from_str_radix(text, 16).ok()).or(seed),
            ..self
        }
        .play();
        match played {
            Ok(Played { cases, steps }) => println!("{steps} steps in {cases} cases agree"),
            Err(divergence) => panic!("{divergence}"),
        }
    }

    /// Plays, as the code says and whatever the environment does.
    ///
    /// # Errors
    ///
    /// The sequence after which the store and the reference differ.
    pub fn play(self) -> Result<Played, Divergence> {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let mut seed = self.seed.unwrap_or_else(rand::random);
        let mut played = Played { cases: 0, steps: 0 };
        for case in 0..self.cases {
            played.steps += self.play_case(&runtime, seed).map_err(|found| {
                let Failed { first, last, found } = found;
                let actions = last.lines;
                Divergence { case, step: first, seed, steps: self.steps, actions, found }
            })?;
            played.cases += 1;
            seed = mixed(seed);
        }
        Ok(played)
    }

    /// Plays one case, and if it fails shorter forms of it. Says how many steps it had.
    fn play_case(&self, runtime: &Runtime, seed: u64) -> Result<usize, Failed> {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let mut tree =
            generate::steps(self.steps).new_tree(&mut runner).expect("nothing is rejected");
        let mut sequence = tree.current();
        let mut failed = match self.play_once(runtime, &sequence) {
            (trace, Ok(())) => return Ok(trace.steps),
            (last, Err(found)) => Failed { first: last.steps, last, found },
        };
        let mut tries = self.shrinking;
        let mut shorter = tree.simplify();
        while shorter && tries > 0 {
            tries -= 1;
            let simpler = tree.current();
            shorter = match self.play_once(runtime, &simpler) {
                (_, Ok(())) => tree.complicate(),
                (last, Err(found)) => {
                    (sequence, failed) = (simpler, Failed { last, found, ..failed });
                    tree.simplify()
                }
            };
        }
        // What was needed before the rest was simple may not be now.
        sequence.truncate(failed.last.steps);
        let mut at = sequence.len();
        while at > 0 && tries > 0 && sequence.len() > 1 {
            (at, tries) = (at - 1, tries - 1);
            let mut simpler = sequence.clone();
            simpler.remove(at);
            if let (last, Err(found)) = self.play_once(runtime, &simpler) {
                simpler.truncate(last.steps);
                (sequence, failed) = (simpler, Failed { last, found, ..failed });
                at = sequence.len();
            }
        }
        Err(failed)
    }

    /// Plays a sequence. A panic is a difference too.
    fn play_once(&self, runtime: &Runtime, steps: &[Step]) -> (Trace, Found) {
        let mut trace = Trace::default();
        let playing = || runtime.block_on(play(&self.open, steps, &mut trace));
        let found = panic::catch_unwind(AssertUnwindSafe(playing)).unwrap_or_else(|cause| {
            let told = cause.downcast_ref::<String>().map(String::as_str);
            let told = told.or_else(|| cause.downcast_ref::<&str>().copied());
            Err(format!("panicked: {}", told.unwrap_or("without a message")))
        });
        (trace, found)
    }
}

/// A case that failed: at which step at first, and in the shortest form.
struct Failed {
    first: usize,
    last: Trace,
    found: String,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case, step, seed, steps, actions, found } = self;
        writeln!(f, "store and reference differ, in case {case} at step {step}; in short form:")?;
        for (number, action) in (1..).zip(actions) {
            writeln!(f, "{number:4}. {}", brief(action))?;
        }
        writeln!(f, "then, {}", brief(found))?;
        write!(f, "repeat with SYNC_TRACKER_SEED={seed:x} SYNC_TRACKER_STEPS={steps}")
    }
}

/// Leaves out demands that demand nothing and operations that keep.
fn brief(text: &str) -> String {
    let told = |part: &str| {
        if !part.ends_with(": None") && !part.ends_with(": Keep") {
            return Some(part.to_owned());
        }
        // What the first field stands in stays.
        part.rfind("{ ").map(|at| format!("{}..", &part[..at + 2]))
    };
    let lines = text.lines().map(|line| line.split(", ").filter_map(told).collect::<Vec<_>>());
    lines.map(|parts| parts.join(", ")).collect::<Vec<_>>().join("\n")
}
