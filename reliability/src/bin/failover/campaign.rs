//! Failover after failover.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sync_tracker_reliability::Failure;
use sync_tracker_reliability::campaign::{ENOUGH, Interrupted, NOT_RUN, folder};
use sync_tracker_reliability::postgres::{Cluster, Programs};

use crate::crew::Heard;
use crate::cycle::Plan;
use crate::mongo;
use crate::pair::{Cut, Replication};
use crate::redis::{self, Topology};

/// How many differences of a cycle are told one by one.
pub(crate) const TOLD: usize = 5;

/// The columns of what came of it.
pub(crate) const HEADINGS: &str = "cycles | acked | lost | unknown but applied | unavailable | \
                                   unknown | first write after | all write after";

/// What becomes of acknowledged writes when a standby of PostgreSQL, a replica of Redis, or another
/// member of a MongoDB replica set takes over.
///
/// It needs the programs of the server, and for Redis and MongoDB root; where it cannot have them
/// it does nothing and exits with 3. It fails if the store does not go on by itself or is not whole, if an
/// error says that nothing was done that was done, or if the twin, which does not wait, loses
/// nothing; but for Redis also if one write is lost although the primary waited for others.
#[derive(Debug, Parser)]
#[command(name = "failover", version)]
pub(crate) struct Campaign {
    /// The store.
    #[arg(long, value_enum, default_value_t = Store::Postgres)]
    store: Store,

    /// Cycles with a primary that waits for its standby: in turn it is killed, cut off, and cut off
    /// from the standby first.
    #[arg(long, default_value_t = 30)]
    pub(crate) cycles: u32,

    /// Cycles of its twin, which does not wait, and is cut off from the standby first; that of
    /// Redis is lost in all the ways.
    #[arg(long, default_value_t = 10)]
    pub(crate) twin_cycles: u32,

    /// What the moments are drawn from.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// The store, and who promotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Store {
    /// A replica set of three servers.
    Mongo,
    /// A primary and a standby, which the campaign promotes.
    Postgres,
    /// A master and two replicas under three Sentinels.
    RedisSentinel,
    /// A cluster of three masters, of which the one that is lost has two replicas.
    RedisCluster,
}

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

/// The kinds of cycles.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Killed,
    ClientsCutOffFirst,
    StandbyCutOffFirst,
    Twin,
}

impl Kind {
    const ALL: [Self; 4] =
        [Self::Killed, Self::ClientsCutOffFirst, Self::StandbyCutOffFirst, Self::Twin];

    fn name(self) -> &'static str {
        match self {
            Self::Killed => "waits for its standby, is killed",
            Self::ClientsCutOffFirst => "waits for its standby, is cut off from clients first",
            Self::StandbyCutOffFirst => "waits for its standby, is cut off from it first",
            Self::Twin => "does not wait for its standby, is cut off from it first",
        }
    }

    fn plan(self, rng: &mut StdRng) -> Plan {
        let mut millis = |range| Duration::from_millis(rng.random_range(range));
        let cut = match self {
            Self::Killed => Cut::Kill,
            Self::ClientsCutOffFirst => Cut::ClientsFirst(millis(0..60)),
            Self::StandbyCutOffFirst | Self::Twin => Cut::StandbyFirst(millis(50..300)),
        };
        let replication =
            if self.is_sound() { Replication::Synchronous } else { Replication::Asynchronous };
        Plan::draw(replication, cut, rng)
    }

    fn is_sound(self) -> bool {
        !matches!(self, Self::Twin)
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

impl Campaign {
    pub(crate) async fn run(&self) -> Result<ExitCode, Failure> {
        match self.store {
            Store::Mongo => mongo::run(self).await,
            Store::Postgres => self.run_postgres().await,
            Store::RedisSentinel => redis::run(self, Topology::Sentinel).await,
            Store::RedisCluster => redis::run(self, Topology::Cluster).await,
        }
    }

    async fn run_postgres(&self) -> Result<ExitCode, Failure> {
        let interrupted = Interrupted::listen()?;
        let programs = match Programs::find() {
            Ok(programs) => programs,
            Err(error) => {
                eprintln!("failover: NOT RUN, the servers cannot be started: {error}");
                return Ok(ExitCode::from(NOT_RUN));
            }
        };
        let folder = folder("failover")?;
        let template = Cluster::init(programs, &folder.path().join("template"))?;
        let server = template.start(&[])?;
        sync_tracker::open(&server.url()).await?;
        server.stop()?;
        let verdict = self.run_from(&template, &interrupted).await;
        folder.close()?;
        verdict
    }

    async fn run_from(
        &self,
        template: &Cluster,
        interrupted: &Interrupted,
    ) -> Result<ExitCode, Failure> {
        let mut rng = StdRng::seed_from_u64(self.seed);
        let mut totals = Kind::ALL.map(|_| Total::default());
        let sound = (0..self.cycles).zip((0..3).cycle()).map(|(_, place)| place);
        let twin = (0..self.twin_cycles).map(|_| 3);
        for place in sound.chain(twin) {
            interrupted.check()?;
            let kind = Kind::ALL[place];
            let plan = kind.plan(&mut rng);
            let folder = folder("failover")?;
            let outcomes = plan.carry_out(template, folder.path()).await;
            let outcomes = outcomes.map_err(|failure| format!("{plan:?}: {failure}"))?;
            folder.close()?;
            if kind.is_sound() {
                for difference in outcomes.differences.iter().take(TOLD) {
                    eprintln!("failover: {plan:?}: {difference}");
                }
            }
            totals[place].add(&outcomes);
        }
        Ok(self.verdict(&mut totals))
    }

    fn verdict(&self, totals: &mut [Total]) -> ExitCode {
        println!("| seed {} | {HEADINGS} |", self.seed);
        println!("|---|---|---|---|---|---|---|---|---|");
        let mut failures = Vec::new();
        let mut unknown_but_applied = 0;
        for (kind, total) in Kind::ALL.into_iter().zip(totals) {
            total.tell(kind.name());
            if !kind.is_sound() {
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
        if self.cycles >= ENOUGH && unknown_but_applied == 0 {
            failures.push("no primary was lost between a write and its acknowledgement");
        }
        for failure in &failures {
            eprintln!("failover: FAILED: {failure}");
        }
        if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
