//! One failover, from the first write to the last look.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use sync_tracker::redis::{RedisOptions, RedisStore};
use sync_tracker::{AnyStore, Survival, SyncStore};
use sync_tracker_reliability::Failure;
use sync_tracker_reliability::check::check;
use sync_tracker_reliability::redis::{Network, Program};
use tokio::time::sleep;

use super::fleet::{Cut, Fleet, Topology};
use crate::campaign::DEADLINE;
use crate::counter::counted;
use crate::crew::{Crew, Heard, Story, Surprises};
use crate::outcomes::Outcomes;
use crate::patient::Patient;

/// How long all go on after it, and after the former master came back.
const AFTERWARDS: Duration = Duration::from_millis(300);

/// How long what was said before the master was lost may take.
const ARRIVES: Duration = Duration::from_millis(20);

/// How long a write waits for a replica, if it does.
const WAITS: Duration = Duration::from_millis(500);

/// What happens, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    topology: Topology,
    /// Whether writes wait for a replica.
    waits: bool,
    cut: Cut,
    /// From when all have written until the master is lost.
    write_for: Duration,
}

impl Plan {
    pub(crate) fn draw(topology: Topology, waits: bool, cut: Cut, rng: &mut StdRng) -> Self {
        let write_for = Duration::from_millis(rng.random_range(0..400));
        Self { topology, waits, cut, write_for }
    }

    pub(crate) async fn carry_out(
        &self,
        network: &Network,
        program: &Program,
        folder: &Path,
    ) -> Result<Outcomes, Failure> {
        let mut fleet = Fleet::start(self.topology, network, program, folder)?;
        let options = RedisOptions::from_url(&fleet.url())?.deadline(DEADLINE);
        let options = if self.waits { options.wait_for_replicas(1, WAITS) } else { options };
        let store = options.open().await?;
        let mut differences = Vec::new();
        compare_durability(&store, &mut differences).await?;
        let patient = Arc::new(Patient::new(Arc::new(store)));
        let store = Arc::clone(&patient) as Arc<dyn AnyStore>;
        let mut crew = Crew::start(&store, Surprises::MayCome);
        crew.all_heard().await?;
        sleep(self.write_for).await;

        fleet.lose_master(self.cut).await?;
        // What it said before arrives yet.
        sleep(ARRIVES).await;
        crew.listen();
        let heard = crew.all_heard().await?;
        sleep(AFTERWARDS).await;
        if self.cut != Cut::Kill {
            fleet.bring_back()?;
            crew.listen();
            crew.all_heard().await?;
            sleep(AFTERWARDS).await;
        }
        let story = crew.end().await?;

        let store = RedisOptions::from_url(&fleet.url())?.open().await?;
        let mut outcomes = look(&(Arc::new(store) as Arc<dyn AnyStore>), story, heard).await?;
        outcomes.add(patient.met());
        outcomes.differences.extend(differences);
        Ok(outcomes)
    }
}

/// The store has to know what a failover can cost.
async fn compare_durability(
    store: &RedisStore,
    differences: &mut Vec<String>,
) -> Result<(), Failure> {
    let said = store.durability().await?.failover;
    if said != Survival::MayBeLost {
        differences.push(format!("of a failover the store says {said:?}"));
    }
    Ok(())
}

/// Looks for what was acknowledged, on a store that nobody uses any more. What is lost is counted;
/// what is there has to be whole.
async fn look(store: &Arc<dyn AnyStore>, story: Story, heard: Heard) -> Result<Outcomes, Failure> {
    let Story { acked, counted: told, failures, surprised } = story;
    let found = check(store, &acked).await?;
    let mut outcomes = Outcomes {
        acked: acked.count + told.iter().sum::<u64>(),
        lost: found.lost,
        unknown_but_applied: found.unknown_but_applied,
        unavailable: 0,
        unknown: 0,
        differences: found.dangling,
        heard,
    };
    for (counter, told) in (0..).zip(told) {
        let there = counted(store, counter).await?;
        outcomes.lost += told.saturating_sub(there);
        if there > told {
            outcomes.differences.push(format!("counter {counter}: {told} told, {there} there"));
        }
    }
    // What a writer met that cannot be was acknowledged as well, if only as begun.
    outcomes.lost = outcomes.lost.max(surprised.len() as u64);
    outcomes.differences.extend(failures);
    Ok(outcomes)
}
