//! Failover after failover, each of two servers of its own.

use std::process::ExitCode;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sync_tracker_reliability::Failure;
use sync_tracker_reliability::campaign::{Interrupted, NOT_RUN, folder};
use sync_tracker_reliability::postgres::{Cluster, Programs};

use super::cycle::Plan;
use super::pair::{Cut, Replication};
use crate::campaign::Campaign;
use crate::outcomes::{Row, TOLD, Total, verdict};

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

pub(crate) async fn run(campaign: &Campaign) -> Result<ExitCode, Failure> {
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
    let verdict = run_from(campaign, &template, &interrupted).await;
    folder.close()?;
    verdict
}

async fn run_from(
    campaign: &Campaign,
    template: &Cluster,
    interrupted: &Interrupted,
) -> Result<ExitCode, Failure> {
    let mut rng = StdRng::seed_from_u64(campaign.seed);
    let mut totals = Kind::ALL.map(|_| Total::default());
    let sound = (0..campaign.cycles).zip((0..3).cycle()).map(|(_, place)| place);
    let twin = (0..campaign.twin_cycles).map(|_| 3);
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
    let rows = Kind::ALL.into_iter().zip(totals).map(|(kind, total)| Row {
        name: kind.name(),
        is_sound: kind.is_sound(),
        total,
    });
    Ok(verdict("PostgreSQL", campaign, rows))
}
