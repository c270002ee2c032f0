//! Contestants that run the same workloads in turns.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::task::JoinSet;

use crate::Failure;
use crate::cpu::processor_time;
use crate::server::Server;
use crate::workload::{Numbers, Operation, Workload};

/// Something that carries out calls: a store, or code written by hand against the same database.
#[async_trait]
pub trait Contestant: Debug + Send + Sync {
    /// One call by one of the callers about the records with these numbers.
    ///
    /// # Errors
    ///
    /// If anything but the expected came out: a wrong answer is not to be measured.
    async fn call(
        &self,
        caller: usize,
        workload: Workload,
        numbers: &[usize],
    ) -> Result<Done, Failure>;
}

/// What a call did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    /// How many records it concerned, or 1 if it is not about records.
    pub records: usize,
    /// How much of its time went into putting things back, and does not count.
    pub apart: Duration,
}

impl Done {
    /// Nothing had to be put back.
    #[must_use]
    pub fn records(records: usize) -> Self {
        Self { records, apart: Duration::ZERO }
    }
}

/// Contestants that do the same on the same records. The fastest of them is compared with others.
#[derive(Debug)]
pub struct Entrant {
    /// What it is called in tables.
    pub name: String,
    /// Each with how many connections it has that callers share; 0 if it sees to that itself. The
    /// first takes part whatever the number of callers, the others if no connection is idle.
    pub variants: Vec<(usize, Arc<dyn Contestant>)>,
    /// Deals out the records.
    pub numbers: Arc<Numbers>,
    /// Whose processor time is told beside that of this process.
    pub server: Option<Server>,
    /// In what it takes no part.
    pub without: Vec<Operation>,
}

impl Entrant {
    /// Of these variants.
    #[must_use]
    pub fn new(name: &str, variants: Vec<(usize, Arc<dyn Contestant>)>, numbers: Numbers) -> Self {
        Self {
            name: name.to_owned(),
            variants,
            numbers: Arc::new(numbers),
            server: None,
            without: Vec::new(),
        }
    }

    /// The same, which takes no part in these operations.
    #[must_use]
    pub fn without(self, operations: &[Operation]) -> Self {
        Self { without: operations.to_vec(), ..self }
    }

    /// The same, carried out by a server of its own processes, if they can be seen.
    #[must_use]
    pub fn on(self, server: Option<Server>) -> Self {
        Self { server, ..self }
    }
}

/// How long everything takes.
#[derive(Clone, Copy, Debug)]
pub struct Lengths {
    /// How often each case is run.
    pub rounds: usize,
    /// How long one run lasts.
    pub round: Duration,
    /// How often each variant is tried before the best of them takes part.
    pub trials: usize,
}

/// What one run of a case came to.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Records per second.
    pub rate: f64,
    /// Processor time of this process for each record, in seconds; `None` if part of it was spent
    /// on what does not count.
    pub cpu: Option<f64>,
    /// The same of the server, if there is one.
    pub server_cpu: Option<f64>,
}

/// What one workload came to.
#[derive(Debug)]
pub struct Figures {
    /// What was done.
    pub workload: Workload,
    /// By whom, in the order of the entrants, each with the same number of samples, or with none
    /// if it takes no part.
    pub entrants: Vec<Samples>,
}

/// What one entrant did in one workload.
#[derive(Debug)]
pub struct Samples {
    /// Its name.
    pub name: String,
    /// How many connections its variant had that took part; 0 if that saw to it itself.
    pub connections: usize,
    /// Round by round.
    pub samples: Vec<Sample>,
}

/// Runs all workloads, round by round, and in each the entrants one after another.
///
/// # Errors
///
/// If a call fails, or a workload has no records at all.
pub async fn contest(
    entrants: &[&Entrant],
    workloads: &[Workload],
    lengths: Lengths,
) -> Result<Vec<Figures>, Failure> {
    let mut all = Vec::with_capacity(workloads.len());
    for workload in workloads {
        let mut figures = Figures { workload: *workload, entrants: Vec::new() };
        for entrant in entrants {
            figures.entrants.push(Samples {
                name: entrant.name.clone(),
                connections: best(entrant, *workload, lengths).await?,
                samples: Vec::with_capacity(lengths.rounds),
            });
        }
        all.push(figures);
    }
    for _ in 0..lengths.rounds {
        for figures in &mut all {
            for (entrant, samples) in entrants.iter().zip(&mut figures.entrants) {
                if entrant.without.contains(&figures.workload.operation) {
                    continue;
                }
                let variant = entrant.variants.iter().find(|it| it.0 == samples.connections);
                let (_, contestant) = variant.ok_or("an entrant without variants")?;
                let workload = figures.workload;
                samples.samples.push(run(entrant, contestant, workload, lengths.round).await?);
            }
        }
    }
    Ok(all)
}

/// How many connections the fastest variant has. All are run, so caches are warm afterwards.
async fn best(entrant: &Entrant, workload: Workload, lengths: Lengths) -> Result<usize, Failure> {
    if entrant.without.contains(&workload.operation) {
        return Ok(0);
    }
    let busy = |it: &&(usize, _)| it.0 <= workload.callers;
    let first = entrant.variants.iter().take(1);
    let variants = first.chain(entrant.variants.iter().skip(1).filter(busy));
    let mut best = (0, 0.0);
    for (connections, contestant) in variants {
        for _ in 0..lengths.trials {
            let sample = run(entrant, contestant, workload, lengths.round).await?;
            if sample.rate > best.1 {
                best = (*connections, sample.rate);
            } else if sample.rate < best.1 / 2.0 {
                // Connections that are in each other's way take long even to end.
                break;
            }
        }
    }
    Ok(best.0)
}

/// Runs a case once, after it has what it needs.
async fn run(
    entrant: &Entrant,
    contestant: &Arc<dyn Contestant>,
    workload: Workload,
    length: Duration,
) -> Result<Sample, Failure> {
    if workload.operation == Operation::MarkSynced
        && entrant.numbers.dirty() < workload.batch * workload.callers
    {
        let update = Workload { operation: Operation::Update, ..workload };
        timed(entrant, contestant, update, length).await?;
    }
    timed(entrant, contestant, workload, length).await
}

/// Lets all callers make calls until the time is over or no records are left.
async fn timed(
    entrant: &Entrant,
    contestant: &Arc<dyn Contestant>,
    workload: Workload,
    length: Duration,
) -> Result<Sample, Failure> {
    let mut callers = JoinSet::new();
    let server_times = || entrant.server.and_then(Server::times);
    let server_before = server_times();
    let (begun, cpu) = (Instant::now(), processor_time());
    for caller in 0..workload.callers {
        let (contestant, numbers) = (Arc::clone(contestant), Arc::clone(&entrant.numbers));
        callers.spawn(async move {
            let mut total = Done::default();
            // At least one call: on a busy machine the time may be over before this begins.
            while let Some(numbers) = numbers.next(workload) {
                let done = contestant.call(caller, workload, &numbers).await?;
                total.records += done.records;
                total.apart += done.apart;
                if begun.elapsed() >= length {
                    break;
                }
            }
            Ok::<_, Failure>(total)
        });
    }
    let mut total = Done::default();
    while let Some(caller) = callers.join_next().await {
        let done = caller??;
        total.records += done.records;
        total.apart += done.apart;
    }
    let (elapsed, cpu) = (begun.elapsed(), processor_time().saturating_sub(cpu));
    let server_cpu =
        server_before.and_then(|before| Some(server_times()?.since(&before).as_secs_f64()));
    if total.records == 0 {
        return Err(format!("{}: {workload} found no records", entrant.name).into());
    }
    #[allow(clippy::cast_precision_loss)] // far below 2^53
    let (records, callers) = (total.records as f64, workload.callers as f64);
    let apart = total.apart.as_secs_f64();
    Ok(Sample {
        rate: records / (elapsed.as_secs_f64() - apart / callers),
        cpu: total.apart.is_zero().then(|| cpu.as_secs_f64() / records),
        server_cpu: server_cpu.filter(|_| total.apart.is_zero()).map(|cpu| cpu / records),
    })
}
