//! One failover, from the first write to the last look.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use sync_tracker::postgres::{PostgresOptions, PostgresStore};
use sync_tracker::{AnyStore, Error, ErrorKind, Key, Outcome, Survival, SyncStore, rules};
use sync_tracker_reliability::Failure;
use sync_tracker_reliability::postgres::{Cluster, Server};
use sync_tracker_reliability::writer::SOURCE;
use tokio::time::sleep;

use super::pair::{Cut, Pair, Replication};
use crate::campaign::DEADLINE;
use crate::crew::{Crew, Surprises};
use crate::outcomes::Outcomes;
use crate::patient::Patient;

/// How long all go on after it.
const AFTERWARDS: Duration = Duration::from_millis(300);

/// What happens, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    replication: Replication,
    cut: Cut,
    /// From when all have written until the primary is lost.
    write_for: Duration,
    /// From then until somebody does something about it.
    noticed_after: Duration,
    /// Whether the address leads to the standby before it is promoted.
    is_led_first: bool,
}

impl Plan {
    pub(crate) fn draw(replication: Replication, cut: Cut, rng: &mut StdRng) -> Self {
        let mut millis = |range| Duration::from_millis(rng.random_range(range));
        Self {
            replication,
            cut,
            write_for: millis(0..400),
            noticed_after: millis(50..300),
            is_led_first: rng.random(),
        }
    }

    pub(crate) async fn carry_out(
        &self,
        template: &Cluster,
        folder: &Path,
    ) -> Result<Outcomes, Failure> {
        let mut pair = Pair::start(template, folder, self.replication).await?;
        let store = PostgresOptions::from_url(&pair.url())?.deadline(DEADLINE).open().await?;
        let mut differences = Vec::new();
        self.compare_durability(&store, &mut differences).await?;
        let patient = Arc::new(Patient::new(Arc::new(store)));
        let mut crew = Crew::start(&(Arc::clone(&patient) as Arc<dyn AnyStore>), Surprises::Fail);
        crew.all_heard().await?;
        sleep(self.write_for).await;

        pair.lose_primary(self.cut).await?;
        sleep(self.noticed_after).await;
        let standby = write_to(pair.standby(), DEADLINE).await;
        if !standby.as_ref().is_err_and(|error| error.kind() == ErrorKind::Unavailable) {
            differences.push(format!("the standby answers a write with {standby:?}"));
        }
        if self.is_led_first {
            pair.lead_to_standby();
        }
        pair.standby().promote()?;
        if !self.is_led_first {
            pair.lead_to_standby();
        }
        crew.listen();
        let heard = crew.all_heard().await?;
        sleep(AFTERWARDS).await;
        self.compare_former(&pair, &mut differences).await;
        let story = crew.end().await?;

        let store = PostgresOptions::from_url(&pair.standby().url())?.open().await?;
        let store: Arc<dyn AnyStore> = Arc::new(store);
        let mut outcomes = Outcomes::look(&store, story, heard).await?;
        outcomes.add(patient.met());
        outcomes.differences.extend(differences);
        Ok(outcomes)
    }

    /// The store has to know what a failover can cost.
    async fn compare_durability(
        &self,
        store: &PostgresStore,
        differences: &mut Vec<String>,
    ) -> Result<(), Failure> {
        let said = store.durability().await?.failover;
        let expected = match self.replication {
            Replication::Synchronous => Survival::Kept,
            Replication::Asynchronous => Survival::MayBeLost,
        };
        if said != expected {
            differences.push(format!("of a failover the store says {said:?}"));
        }
        Ok(())
    }

    /// A primary that was cut off lives on, and whoever is on its side can still ask it. It must
    /// not acknowledge alone what nobody else will know.
    async fn compare_former(&self, pair: &Pair, differences: &mut Vec<String>) {
        if self.cut == Cut::Kill {
            return;
        }
        let answer = write_to(pair.primary(), Duration::from_millis(500)).await;
        let is_as_expected = match (self.replication, &answer) {
            (Replication::Synchronous, Err(error)) => error.kind() == ErrorKind::Unknown,
            (Replication::Asynchronous, Ok(outcome)) => outcome.is_applied(),
            _ => false,
        };
        if !is_as_expected {
            differences.push(format!("the former primary answers a write with {answer:?}"));
        }
    }
}

/// Writes to one server, whatever its part.
async fn write_to(server: &Server, deadline: Duration) -> Result<Outcome, Error> {
    let options = PostgresOptions::from_url(&server.url())?.migrate(false).deadline(deadline);
    let store = options.open().await?;
    store.apply(&Key::new(SOURCE, "aside", 1)?, &rules::created()).await
}
