//! One failover, from the first write to the last look.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mongodb::options::{Acknowledgment, WriteConcern};
use sync_tracker::mongo::{MongoOptions, MongoStore};
use sync_tracker::{AnyStore, Error, ErrorKind, Key, Outcome, Survival, SyncStore, rules};
use sync_tracker_reliability::Failure;
use sync_tracker_reliability::mongo::ReplicaSet;
use sync_tracker_reliability::writer::SOURCE;
use tokio::time::sleep;

use crate::campaign::DEADLINE;
use crate::crew::{Crew, Heard, Surprises};
use crate::outcomes::Outcomes;
use crate::patient::Patient;

/// How long a call of somebody on the side of a primary that is cut off may take.
const ASIDE: Duration = Duration::from_millis(250);

/// How long all go on after it.
const AFTERWARDS: Duration = Duration::from_millis(300);

/// How long what is on its way takes.
const MOMENT: Duration = Duration::from_millis(20);

/// How a primary is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// It is told to.
    StepDown,
    /// Its process is killed.
    Kill,
    /// Nothing passes between it and all others any more, and it lives on.
    CutOff,
    /// As before, but for so long clients still reach it.
    CutOffFromOthersFirst(Duration),
}

/// What happens, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) loss: Loss,
    pub(crate) waits_for_majority: bool,
    /// From when all have written until the primary is lost.
    pub(crate) write_for: Duration,
}

impl Plan {
    pub(crate) async fn carry_out(
        &self,
        set: &mut ReplicaSet,
        database: &str,
    ) -> Result<Outcomes, Failure> {
        let store = self.open(&set.url(), database).await?;
        let mut differences = Vec::new();
        self.compare_durability(&store, &mut differences).await?;
        let patient = Arc::new(Patient::new(Arc::new(store)));
        // The twin loses what its writers wrote, so they meet what cannot be.
        let surprises = if self.waits_for_majority { Surprises::Fail } else { Surprises::MayCome };
        let writing = Arc::clone(&patient) as Arc<dyn AnyStore>;
        let mut crew = Crew::start(&writing, surprises);
        crew.all_heard().await?;
        sleep(self.write_for).await;

        let former = set.primary().await?;
        let secondary = self.open_aside(&set.another(former)?.url(), database).await?;
        let answer = write(&secondary).await;
        if !is_error(&answer, ErrorKind::Unavailable) {
            differences.push(format!("a secondary answers a write with {answer:?}"));
        }
        let primary = self.open_aside(&set.member(former)?.url(), database).await?;
        let lost = Instant::now();
        differences.extend(self.lose(set, former, &primary).await?);
        // What it acknowledged last is on its way for a moment.
        sleep(MOMENT).await;
        let until_then = lost.elapsed();
        crew.listen();
        let heard = crew.all_heard().await?;
        let heard = Heard { first: until_then + heard.first, all: until_then + heard.all };
        sleep(AFTERWARDS).await;
        let story = crew.end().await?;

        self.bring_back(set, former)?;
        set.is_whole().await?;
        let store = self.open(&set.url(), database).await?;
        let store: Arc<dyn AnyStore> = Arc::new(store);
        let mut outcomes = Outcomes::look(&store, story, heard).await?;
        if let Err(failure) = set.is_same(database).await {
            outcomes.differences.push(failure.to_string());
        }
        outcomes.add(patient.met());
        outcomes.differences.extend(differences);
        Ok(outcomes)
    }

    async fn open(&self, url: &str, database: &str) -> Result<MongoStore, Error> {
        let options = MongoOptions::from_url(url).await?.database(database).deadline(DEADLINE);
        if self.waits_for_majority {
            return options.open().await;
        }
        options.write_concern(alone()).open().await
    }

    /// A store on one server alone, which it knows already.
    async fn open_aside(&self, url: &str, database: &str) -> Result<MongoStore, Error> {
        let mut options = MongoOptions::from_url(url).await?.database(database).migrate(false);
        if !self.waits_for_majority {
            options = options.write_concern(alone());
        }
        let store = options.deadline(ASIDE).open().await?;
        // It may be asked too soon, and a secondary need not answer.
        for _ in 0..20 {
            match store.now().await {
                Ok(_) => return Ok(store),
                Err(_) => sleep(MOMENT).await,
            }
        }
        store.now().await.map(|_| store)
    }

    /// Loses the primary, and says what was not as it has to be.
    async fn lose(
        &self,
        set: &mut ReplicaSet,
        former: usize,
        aside: &MongoStore,
    ) -> Result<Option<String>, Failure> {
        let member = set.member(former)?;
        let expected = match self.loss {
            Loss::StepDown => {
                member.step_down().await?;
                Some(ErrorKind::Unavailable)
            }
            Loss::Kill => {
                member.kill()?;
                return Ok(None);
            }
            Loss::CutOff => {
                member.cut_off()?;
                return Ok(None);
            }
            // Whoever is on its side can still ask it. It must not acknowledge alone what nobody
            // else will know.
            Loss::CutOffFromOthersFirst(_) => {
                member.cut_off_from_others()?;
                self.waits_for_majority.then_some(ErrorKind::Unknown)
            }
        };
        let start = Instant::now();
        let answer = write(aside).await;
        let is_as_expected = match expected {
            Some(kind) => is_error(&answer, kind),
            None => answer.as_ref().is_ok_and(Outcome::is_applied),
        };
        if let Loss::CutOffFromOthersFirst(window) = self.loss {
            sleep(window.saturating_sub(start.elapsed())).await;
            set.member(former)?.cut_off()?;
        }
        let told = format!("the former primary answers a write with {answer:?}");
        Ok(Some(told).filter(|_| !is_as_expected))
    }

    fn bring_back(&self, set: &mut ReplicaSet, former: usize) -> Result<(), Failure> {
        let member = set.member(former)?;
        match self.loss {
            Loss::StepDown => Ok(()),
            Loss::Kill => Ok(member.start()?),
            Loss::CutOff | Loss::CutOffFromOthersFirst(_) => Ok(member.connect()?),
        }
    }

    /// The store has to know what a failover can cost.
    async fn compare_durability(
        &self,
        store: &MongoStore,
        differences: &mut Vec<String>,
    ) -> Result<(), Failure> {
        let said = store.durability().await?.failover;
        let expected = if self.waits_for_majority { Survival::Kept } else { Survival::MayBeLost };
        if said != expected {
            differences.push(format!("of a failover the store says {said:?}"));
        }
        Ok(())
    }
}

/// Waits for one server.
fn alone() -> WriteConcern {
    WriteConcern::builder().w(Some(Acknowledgment::Nodes(1))).build()
}

async fn write(store: &MongoStore) -> Result<Outcome, Error> {
    store.apply(&Key::new(SOURCE, "aside", 1)?, &rules::created()).await
}

fn is_error(answer: &Result<Outcome, Error>, kind: ErrorKind) -> bool {
    answer.as_ref().is_err_and(|error| error.kind() == kind)
}
