//! Failover after failover of one replica set, which heals after each.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sync_tracker_reliability::Failure;
use sync_tracker_reliability::campaign::{Interrupted, NOT_RUN, folder};
use sync_tracker_reliability::mongo::{Program, ReplicaSet};
use sync_tracker_reliability::network::Network;

use super::cycle::{Loss, Plan};
use crate::campaign::Campaign;
use crate::outcomes::{Row, TOLD, Total, verdict};

/// The kinds of cycles.
#[derive(Clone, Copy, Debug)]
enum Kind {
    StepsDown,
    Killed,
    CutOff,
    CutOffFromOthersFirst,
    Twin,
}

impl Kind {
    const ALL: [Self; 5] =
        [Self::StepsDown, Self::Killed, Self::CutOff, Self::CutOffFromOthersFirst, Self::Twin];

    fn name(self) -> &'static str {
        match self {
            Self::StepsDown => "waits for the majority, steps down",
            Self::Killed => "waits for the majority, is killed",
            Self::CutOff => "waits for the majority, is cut off from all",
            Self::CutOffFromOthersFirst => "waits for the majority, is cut off from others first",
            Self::Twin => "waits for nobody, is cut off from others first",
        }
    }

    fn plan(self, rng: &mut StdRng) -> Plan {
        let mut millis = |range| Duration::from_millis(rng.random_range(range));
        let loss = match self {
            Self::StepsDown => Loss::StepDown,
            Self::Killed => Loss::Kill,
            Self::CutOff => Loss::CutOff,
            Self::CutOffFromOthersFirst | Self::Twin => {
                Loss::CutOffFromOthersFirst(millis(300..1_000))
            }
        };
        Plan { loss, waits_for_majority: self.is_sound(), write_for: millis(0..400) }
    }

    fn is_sound(self) -> bool {
        !matches!(self, Self::Twin)
    }
}

pub(crate) async fn run(campaign: &Campaign) -> Result<ExitCode, Failure> {
    let not_run = |what: &str, error: &io::Error| {
        eprintln!("failover: NOT RUN, {what}: {error}");
        Ok(ExitCode::from(NOT_RUN))
    };
    let program = match Program::find() {
        Ok(program) => program,
        Err(error) => return not_run("the servers cannot be started", &error),
    };
    if !Network::is_inside() {
        return not_run("it can have no network of its own", &Network::enter());
    }
    let interrupted = Interrupted::listen()?;
    let network = Network::lay()?;
    let folder = folder("failover")?;
    let mut set = ReplicaSet::start(&program, &network, folder.path()).await?;
    let totals = run_on(&mut set, campaign, &interrupted).await;
    drop(set);
    folder.close()?;
    let rows = Kind::ALL.into_iter().zip(totals?).map(|(kind, total)| Row {
        name: kind.name(),
        is_sound: kind.is_sound(),
        total,
    });
    Ok(verdict("MongoDB", campaign, rows))
}

async fn run_on(
    set: &mut ReplicaSet,
    campaign: &Campaign,
    interrupted: &Interrupted,
) -> Result<[Total; 5], Failure> {
    let mut rng = StdRng::seed_from_u64(campaign.seed);
    let mut totals = Kind::ALL.map(|_| Total::default());
    let sound = (0..campaign.cycles).zip((0..4).cycle()).map(|(_, place)| place);
    let twin = (0..campaign.twin_cycles).map(|_| 4);
    for (number, place) in sound.chain(twin).enumerate() {
        interrupted.check()?;
        let kind = Kind::ALL[place];
        let plan = kind.plan(&mut rng);
        let outcomes = plan.carry_out(set, &format!("cycle_{number}")).await;
        let outcomes = outcomes.map_err(|failure| format!("{plan:?}: {failure}"))?;
        if kind.is_sound() {
            for difference in outcomes.differences.iter().take(TOLD) {
                eprintln!("failover: {plan:?}: {difference}");
            }
        }
        totals[place].add(&outcomes);
    }
    Ok(totals)
}
