//! What came of cycles, and whether it is as it has to be.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use sync_tracker::AnyStore;
use sync_tracker_reliability::Failure;
use sync_tracker_reliability::campaign::ENOUGH;
use sync_tracker_reliability::check::check;

use crate::campaign::Campaign;
use crate::counter::counted;
use crate::crew::{Heard, Story};
use crate::patient::Met;

/// How many differences of a cycle are told one by one.
pub(crate) const TOLD: usize = 5;

/// The columns of what came of it.
const HEADINGS: &str = "cycles | acked | lost | unknown but applied | unavailable | unknown | \
                        first write after | all write after";

/// What came of a cycle.
#[derive(Debug)]
pub(crate) struct Outcomes {
    pub(crate) acked: u64,
    pub(crate) lost: u64,
    pub(crate) unknown_but_applied: u64,
    pub(crate) unavailable: u64,
    pub(crate) unknown: u64,
    /// What is not as it has to be, in words.
    pub(crate) differences: Vec<String>,
    /// Of PostgreSQL, since the address led to the new primary; else since the former was lost.
    pub(crate) heard: Heard,
}

impl Outcomes {
    /// Looks for what was acknowledged, on a store that nobody uses any more.
    pub(crate) async fn look(
        store: &Arc<dyn AnyStore>,
        story: Story,
        heard: Heard,
    ) -> Result<Self, Failure> {
        let Story { acked, counted: told, failures, surprised: _ } = story;
        let found = check(store, &acked).await?;
        let mut outcomes = Self {
            acked: acked.count + told.iter().sum::<u64>(),
            lost: found.lost,
            unknown_but_applied: found.unknown_but_applied,
            unavailable: 0,
            unknown: 0,
            differences: found.differences,
            heard,
        };
        for (counter, told) in (0..).zip(told) {
            let there = counted(store, counter).await?;
            outcomes.lost += told.saturating_sub(there);
            if there != told {
                outcomes.differences.push(format!("counter {counter}: {told} told, {there} there"));
            }
        }
        outcomes.differences.extend(failures);
        Ok(outcomes)
    }

    /// Adds what the writers met meanwhile.
    pub(crate) fn add(&mut self, met: &Met) {
        self.unknown_but_applied += met.unknown_but_applied();
        self.unavailable = met.unavailable();
        self.unknown = met.unknown();
        if met.denied() > 0 {
            let denied = format!("{} changes were denied that had been made", met.denied());
            self.differences.push(denied);
        }
    }
}

/// What came of the cycles of one kind.
#[derive(Debug, Default)]
pub(crate) struct Total {
    pub(crate) cycles: u32,
    acked: u64,
    pub(crate) lost: u64,
    pub(crate) unknown_but_applied: u64,
    unavailable: u64,
    unknown: u64,
    pub(crate) differences: usize,
    first_heard: Vec<Duration>,
    all_heard: Vec<Duration>,
}

impl Total {
    pub(crate) fn add(&mut self, outcomes: &Outcomes) {
        self.cycles += 1;
        self.acked += outcomes.acked;
        self.lost += outcomes.lost;
        self.unknown_but_applied += outcomes.unknown_but_applied;
        self.unavailable += outcomes.unavailable;
        self.unknown += outcomes.unknown;
        self.differences += outcomes.differences.len();
        self.first_heard.push(outcomes.heard.first);
        self.all_heard.push(outcomes.heard.all);
    }

    pub(crate) fn tell(&mut self, name: &str) {
        let Self { cycles, acked, lost, unknown_but_applied, unavailable, unknown, .. } = *self;
        let first = spread(&mut self.first_heard);
        let all = spread(&mut self.all_heard);
        println!(
            "| {name} | {cycles} | {acked} | {lost} | {unknown_but_applied} | {unavailable} | \
             {unknown} | {first} | {all} |"
        );
    }
}

/// The median and the longest.
fn spread(durations: &mut [Duration]) -> String {
    durations.sort_unstable();
    match (durations.get(durations.len() / 2), durations.last()) {
        (Some(median), Some(longest)) => {
            format!("{:.1} s, {:.1} s", median.as_secs_f64(), longest.as_secs_f64())
        }
        _ => "none".into(),
    }
}

/// The cycles of one kind.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Whether what is acknowledged is on a standby, too; else it is the twin that has to lose.
    pub(crate) is_sound: bool,
    pub(crate) total: Total,
}

/// Tells what came of a store that promises to lose nothing.
pub(crate) fn verdict(
    store: &str,
    campaign: &Campaign,
    rows: impl Iterator<Item = Row>,
) -> ExitCode {
    tell_headings(store, campaign);
    let mut failures = Vec::new();
    let mut unknown_but_applied = 0;
    for Row { name, is_sound, mut total } in rows {
        total.tell(name);
        if !is_sound {
            if total.cycles > 0 && total.lost == 0 {
                failures.push("the twin lost nothing, so this would show no loss");
            }
            continue;
        }
        unknown_but_applied += total.unknown_but_applied;
        if total.lost > 0 || total.differences > 0 {
            failures.push("what was acknowledged is not there, or not so");
        }
    }
    end(campaign, unknown_but_applied, failures)
}

pub(crate) fn tell_headings(store: &str, campaign: &Campaign) {
    println!("| {store}, seed {} | {HEADINGS} |", campaign.seed);
    println!("|---|---|---|---|---|---|---|---|---|");
}

/// Tells what failed. Among many cycles some must have been cut off at the right moment.
pub(crate) fn end(
    campaign: &Campaign,
    unknown_but_applied: u64,
    mut failures: Vec<&'static str>,
) -> ExitCode {
    if campaign.cycles >= ENOUGH && unknown_but_applied == 0 {
        failures.push("no primary was lost between a write and its acknowledgement");
    }
    for failure in &failures {
        eprintln!("failover: FAILED: {failure}");
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counter::count;
    use std::io;
    use sync_tracker::memory::MemoryStore;
    use sync_tracker_reliability::acks::Acked;

    /// What is found of a counter that counted three, if so many were told.
    async fn found(told: u64) -> (u64, usize) {
        let store: Arc<dyn AnyStore> = Arc::new(MemoryStore::new());
        let mut increments = 0..3;
        let tell = || match (increments.next(), increments.len()) {
            (Some(_), 1..) => Ok(()),
            _ => Err(io::Error::other("over")),
        };
        count(Arc::clone(&store), 0, tell).await.unwrap_err();
        let story = Story {
            acked: Acked::default(),
            counted: vec![told],
            failures: Vec::default(),
            surprised: Vec::default(),
        };
        let heard = Heard { first: Duration::ZERO, all: Duration::ZERO };
        let outcomes = Outcomes::look(&store, story, heard).await.unwrap();
        assert_eq!(outcomes.acked, told);
        (outcomes.lost, outcomes.differences.len())
    }

    #[tokio::test]
    async fn a_counter_that_is_short_has_lost_and_one_that_is_over_has_counted_twice() {
        assert_eq!(found(3).await, (0, 0));
        assert_eq!(found(5).await, (2, 1));
        assert_eq!(found(2).await, (0, 1));
    }
}
