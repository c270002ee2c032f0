//! Cycle after cycle: write, lose the power, look.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sync_tracker_reliability::Failure;
use sync_tracker_reliability::acks::Acked;
use sync_tracker_reliability::campaign::{ENOUGH, Interrupted, NOT_RUN, folder};
use sync_tracker_reliability::check::Found;
use sync_tracker_reliability::disk::{Disk, copy_image};

use crate::ground::{Demand, Ground, Level, Store, Waits};

/// How long a writer may take to its first acknowledgement.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many differences of a cycle are told one by one.
const TOLD: usize = 5;

#[derive(Debug, clap::Args)]
pub(crate) struct Campaign {
    /// The store.
    #[arg(long, value_enum, default_value_t = Store::Sqlite)]
    store: Store,

    /// Cycles of the store that waits for the disk.
    #[arg(long, default_value_t = 100)]
    cycles: u32,

    /// Cycles of each of its twins: that which waits now and then, and that which never does.
    #[arg(long, default_value_t = 10)]
    twin_cycles: u32,

    /// What the moments are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What came of the cycles of one kind.
#[derive(Debug, Default)]
struct Total {
    cycles: u32,
    acked: u64,
    lost: u64,
    damaged: u32,
    unknown_but_applied: u64,
    differences: usize,
}

/// What every cycle begins with.
struct Start<'a> {
    folder: &'a Path,
    /// A disk with the ground on it.
    template: &'a Path,
    ground: Ground,
}

impl Campaign {
    pub(crate) fn run(&self) -> ExitCode {
        self.run_here().unwrap_or_else(|failure| {
            eprintln!("power-loss: {failure}");
            ExitCode::FAILURE
        })
    }

    fn run_here(&self) -> Result<ExitCode, Failure> {
        let interrupted = Interrupted::listen()?;
        let not_run = |what: &str, error: &io::Error| {
            eprintln!("power-loss: NOT RUN, {what}: {error}");
            Ok(ExitCode::from(NOT_RUN))
        };
        let needs = match Ground::needs(self.store) {
            Ok(needs) => needs,
            Err(error) => return not_run("the server cannot be started", &error),
        };
        let folder = folder("power-loss")?;
        let template = folder.path().join("template.img");
        let ground = match Disk::new(&template, self.store.disk_size()) {
            Ok(disk) => Ground::lay(needs, disk.path())?,
            Err(error) => return not_run("a disk in a file is needed", &error),
        };
        let start = Start { folder: folder.path(), template: &template, ground };
        let verdict = self.run_from(&start, &interrupted);
        folder.close()?;
        verdict
    }

    fn run_from(&self, start: &Start<'_>, interrupted: &Interrupted) -> Result<ExitCode, Failure> {
        let mut rng = StdRng::seed_from_u64(self.seed);
        let (store, seed) = (self.store.name(), self.seed);
        println!(
            "| {store}, seed {seed} | cycles | acked | lost | damaged | unknown but applied |"
        );
        println!("|---|---|---|---|---|---|");
        let mut verdict = ExitCode::SUCCESS;
        for level in self.store.levels() {
            let is_sound = level.demand == Demand::Kept;
            let mut total = Total::default();
            for _ in 0..if is_sound { self.cycles } else { self.twin_cycles } {
                interrupted.check()?;
                let writing_for = Duration::from_millis(rng.random_range(0..400));
                start.cycle(level, writing_for, &mut total)?;
            }
            total.tell(level.name);
            for failure in total.failures(level.demand) {
                eprintln!("power-loss: FAILED: {failure}: {total:?}");
                verdict = ExitCode::FAILURE;
            }
        }
        Ok(verdict)
    }
}

impl Total {
    fn tell(&self, name: &str) {
        let Self { cycles, acked, lost, damaged, unknown_but_applied, .. } = self;
        println!("| `{name}` | {cycles} | {acked} | {lost} | {damaged} | {unknown_but_applied} |");
    }

    /// What was demanded and is not so.
    fn failures(&self, demand: Demand) -> Vec<&'static str> {
        let mut failures = Vec::new();
        match demand {
            _ if self.cycles == 0 => {}
            Demand::Kept => {
                if self.lost > 0 || self.damaged > 0 || self.differences > 0 {
                    failures.push("what was acknowledged is not there");
                }
                if self.cycles >= ENOUGH && self.unknown_but_applied == 0 {
                    failures.push("no writer was killed before it heard of a write");
                }
            }
            Demand::Lost => {
                if self.lost == 0 {
                    failures.push("the twin lost nothing, so this would show no loss");
                }
            }
            Demand::Told => {}
        }
        failures
    }
}

impl Start<'_> {
    /// Writes until so long after the first acknowledgement, and looks at what is there.
    fn cycle(
        &self,
        level: &Level,
        writing_for: Duration,
        total: &mut Total,
    ) -> Result<(), Failure> {
        let [image, copy, acks, said] =
            ["disk.img", "copy.img", "acks", "said"].map(|name| self.folder.join(name));
        copy_image(self.template, &image)?;
        let disk = Disk::mount(&image)?;
        let mut served = self.ground.serve(disk.path(), level.waits)?;
        let mut command = on(&served.url(), "write", level.waits)?;
        // It complains of a server that is killed.
        command.stdout(File::create(&acks)?).stderr(File::create(&said)?);
        let mut writer = command.spawn()?;
        let written = write_for(&mut writer, &acks, writing_for);
        // Before the writer, so that nothing is acknowledged that is not on the copy.
        let killed = served.kill();
        writer.kill()?;
        writer.wait()?;
        killed?;
        written.map_err(|what| {
            let said = fs::read_to_string(&said).unwrap_or_default();
            format!("{what}: {said}")
        })?;
        disk.copy(&copy)?;
        drop(served);
        drop(disk);

        let acked = Acked::parse(&fs::read_to_string(&acks)?)?;
        total.cycles += 1;
        total.acked += acked.count;
        let disk = Disk::mount(&copy)?;
        let found = self.found_on(&disk, level, &acks)?;
        let Some(found) = found else {
            total.damaged += 1;
            total.lost += acked.count;
            return Ok(());
        };
        if level.demand == Demand::Kept {
            found.differences.iter().take(TOLD).for_each(|it| eprintln!("power-loss: {it}"));
        }
        total.lost += found.lost;
        total.unknown_but_applied += found.unknown_but_applied;
        total.differences += found.differences.len();
        Ok(())
    }

    /// What is on a disk of that which was acknowledged; nothing if it cannot be read.
    fn found_on(&self, disk: &Disk, level: &Level, acks: &Path) -> Result<Option<Found>, Failure> {
        let served = match self.ground.serve(disk.path(), level.waits) {
            Ok(served) => served,
            Err(error) => {
                eprintln!("power-loss: {}: {error}", level.name);
                return Ok(None);
            }
        };
        let mut check = on(&served.url(), "check", level.waits)?;
        let Output { status, stdout, stderr } = check.arg("--acks").arg(acks).output()?;
        if status.success() {
            return Ok(Some(serde_json::from_slice(&stdout)?));
        }
        eprintln!("power-loss: {}: {}", level.name, String::from_utf8_lossy(&stderr).trim());
        Ok(None)
    }
}

/// This program, on a store.
fn on(url: &str, command: &str, waits: Waits) -> Result<Command, Failure> {
    let mut program = Command::new(env::current_exe()?);
    program.arg(command).args(["--store", url]).stdin(Stdio::null());
    if let Some(waits) = waits.to_possible_value() {
        program.args(["--synchronous", waits.get_name()]);
    }
    Ok(program)
}

/// Lets the writer write, from its first acknowledgement on.
fn write_for(writer: &mut Child, acks: &Path, duration: Duration) -> io::Result<()> {
    let start = Instant::now();
    while fs::metadata(acks)?.len() == 0 {
        if writer.try_wait()?.is_some() || start.elapsed() > PATIENCE {
            return Err(io::Error::other("the writer did not write"));
        }
        thread::sleep(Duration::from_millis(1));
    }
    thread::sleep(duration);
    match writer.try_wait()? {
        None => Ok(()),
        Some(_) => Err(io::Error::other("the writer ended by itself")),
    }
}
