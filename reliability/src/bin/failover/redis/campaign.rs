//! Failover after failover.

use std::process::ExitCode;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sync_tracker_reliability::Failure;
use sync_tracker_reliability::campaign::{Interrupted, NOT_RUN, folder};
use sync_tracker_reliability::redis::{Network, Program};

use super::cycle::Plan;
use super::fleet::{Cut, Topology};
use crate::campaign::Campaign;
use crate::outcomes::{TOLD, Total, end, tell_headings};

/// How the master is lost, in turn.
#[derive(Clone, Copy, Debug)]
enum Way {
    Killed,
    ClientsCutOffFirst,
    ServersCutOffFirst,
}

impl Way {
    const ALL: [Self; 3] = [Self::Killed, Self::ClientsCutOffFirst, Self::ServersCutOffFirst];

    fn name(self) -> &'static str {
        match self {
            Self::Killed => "is killed",
            Self::ClientsCutOffFirst => "is cut off from clients first",
            Self::ServersCutOffFirst => "is cut off from servers first",
        }
    }

    fn cut(self, rng: &mut StdRng) -> Cut {
        let mut millis = |range| Duration::from_millis(rng.random_range(range));
        match self {
            Self::Killed => Cut::Kill,
            Self::ClientsCutOffFirst => Cut::ClientsFirst(millis(0..60)),
            Self::ServersCutOffFirst => Cut::ServersFirst(millis(50..600)),
        }
    }
}

/// Runs a campaign. What is lost is told and not judged, since Redis promises nothing.
pub(crate) async fn run(campaign: &Campaign, topology: Topology) -> Result<ExitCode, Failure> {
    let not_run = |what: &str, error: &std::io::Error| {
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
    let mut rng = StdRng::seed_from_u64(campaign.seed);
    let mut totals = Way::ALL.map(|_| [Total::default(), Total::default()]);
    let waiting = (0..campaign.cycles).zip((0..3).cycle()).map(|(_, way)| (way, true));
    let twin = (0..campaign.twin_cycles).zip((0..3).rev().cycle()).map(|(_, way)| (way, false));
    for (place, waits) in waiting.chain(twin) {
        interrupted.check()?;
        let plan = Plan::draw(topology, waits, Way::ALL[place].cut(&mut rng), &mut rng);
        let folder = folder("failover")?;
        let outcomes = plan.carry_out(&network, &program, folder.path()).await;
        let outcomes = outcomes.map_err(|failure| format!("{plan:?}: {failure}"))?;
        folder.close()?;
        for difference in outcomes.differences.iter().take(TOLD) {
            eprintln!("failover: {plan:?}: {difference}");
        }
        totals[place][usize::from(waits)].add(&outcomes);
    }
    Ok(verdict(campaign, topology, totals))
}

fn verdict(campaign: &Campaign, topology: Topology, totals: [[Total; 2]; 3]) -> ExitCode {
    tell_headings(&format!("{topology:?}"), campaign);
    let mut failures = Vec::new();
    let mut unknown_but_applied = 0;
    let rows = |waits: usize| Way::ALL.into_iter().map(move |way| (way, waits));
    let mut totals = totals.map(|by_waits| by_waits.map(Some));
    for (way, waits) in rows(1).chain(rows(0)) {
        let Some(mut total) = totals[way as usize][waits].take() else { continue };
        let word = if waits == 1 { "waits for a replica" } else { "does not wait" };
        total.tell(&format!("{word}, {}", way.name()));
        unknown_but_applied += total.unknown_but_applied;
        if total.differences > 0 {
            failures.push("what is there is not whole, or an error was wrong");
        }
        let shows_losses = matches!(way, Way::ServersCutOffFirst) && waits == 0;
        if shows_losses && total.cycles > 0 && total.lost == 0 {
            failures.push("without waiting nothing was lost, so this would show no loss");
        }
    }
    end(campaign, unknown_but_applied, failures)
}
