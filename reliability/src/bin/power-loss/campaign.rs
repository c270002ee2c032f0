//! Cycle after cycle: write, lose the power, look.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, process};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sync_tracker_reliability::acks::Acked;
use sync_tracker_reliability::check::Found;

use crate::Failure;
use crate::disk::Disk;

/// The exit status if the campaign could not be run here.
const NOT_RUN: u8 = 3;

/// How long a writer may take to its first acknowledgement.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many differences of a cycle are told one by one.
const TOLD: usize = 5;

#[derive(Debug, clap::Args)]
pub(crate) struct Campaign {
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

/// What became of the writes of all cycles.
#[derive(Debug, Default)]
struct Total {
    cycles: u32,
    acked: u64,
    lost: u64,
    /// Cycles after which the store could not even be read.
    damaged: u32,
    unknown_but_applied: u64,
    differences: usize,
}

impl Campaign {
    pub(crate) fn run(&self) -> ExitCode {
        let folder = env::temp_dir().join(format!("power-loss-{}", process::id()));
        let verdict = fs::create_dir(&folder).map_err(Failure::from).and_then(|()| {
            match Disk::new(&folder.join("probe.img")) {
                Ok(probe) => drop(probe),
                Err(error) => {
                    eprintln!("power-loss: NOT RUN, a disk in a file is needed: {error}");
                    return Ok(ExitCode::from(NOT_RUN));
                }
            }
            self.run_in(&folder)
        });
        if let Err(error) = fs::remove_dir_all(&folder) {
            eprintln!("power-loss: {} stays: {error}", folder.display());
        }
        verdict.unwrap_or_else(|failure| {
            eprintln!("power-loss: {failure}");
            ExitCode::FAILURE
        })
    }

    fn run_in(&self, folder: &Path) -> Result<ExitCode, Failure> {
        let mut rng = StdRng::seed_from_u64(self.seed);
        println!(
            "| SQLite, seed {} | cycles | acked | lost | damaged | unknown but applied |",
            self.seed
        );
        println!("|---|---|---|---|---|---|");
        let full = repeat("full", self.cycles, folder, &mut rng)?;
        repeat("normal", self.twin_cycles, folder, &mut rng)?;
        let off = repeat("off", self.twin_cycles, folder, &mut rng)?;
        let mut verdict = ExitCode::SUCCESS;
        if full.lost > 0 || full.damaged > 0 || full.differences > 0 {
            eprintln!("power-loss: FAILED: what was acknowledged is not there: {full:?}");
            verdict = ExitCode::FAILURE;
        }
        if full.cycles > 0 && full.unknown_but_applied == 0 {
            eprintln!("power-loss: FAILED: no writer was killed before it heard of a write");
            verdict = ExitCode::FAILURE;
        }
        if off.cycles > 0 && off.lost == 0 {
            eprintln!("power-loss: FAILED: the twin lost nothing, so this would show no loss");
            verdict = ExitCode::FAILURE;
        }
        Ok(verdict)
    }
}

fn repeat(
    synchronous: &str,
    cycles: u32,
    folder: &Path,
    rng: &mut StdRng,
) -> Result<Total, Failure> {
    let mut total = Total::default();
    for _ in 0..cycles {
        cycle(synchronous, folder, Duration::from_millis(rng.random_range(0..400)), &mut total)?;
    }
    let Total { cycles, acked, lost, damaged, unknown_but_applied, .. } = total;
    println!(
        "| `synchronous={synchronous}` | {cycles} | {acked} | {lost} | {damaged} | \
         {unknown_but_applied} |"
    );
    Ok(total)
}

/// Writes until so long after the first acknowledgement, and looks at what is there.
fn cycle(
    synchronous: &str,
    folder: &Path,
    writing_for: Duration,
    total: &mut Total,
) -> Result<(), Failure> {
    let [image, copy, acks] = ["disk.img", "copy.img", "acks"].map(|name| folder.join(name));
    let disk = Disk::new(&image)?;
    let mut command = on(disk.path(), "write", synchronous)?;
    let mut writer = command.stdout(File::create(&acks)?).spawn()?;
    let written = write_for(&mut writer, &acks, writing_for);
    writer.kill()?;
    writer.wait()?;
    written?;
    disk.copy(&copy)?;
    drop(disk);

    let acked = Acked::parse(&fs::read_to_string(&acks)?)?;
    let disk = Disk::mount(&copy)?;
    let Output { status, stdout, .. } =
        on(disk.path(), "check", synchronous)?.arg("--acks").arg(&acks).output()?;
    total.cycles += 1;
    total.acked += acked.count;
    if !status.success() {
        total.damaged += 1;
        total.lost += acked.count;
        return Ok(());
    }
    let found: Found = serde_json::from_slice(&stdout)?;
    if synchronous == "full" {
        found.differences.iter().take(TOLD).for_each(|it| eprintln!("power-loss: {it}"));
    }
    total.lost += found.lost;
    total.unknown_but_applied += found.unknown_but_applied;
    total.differences += found.differences.len();
    Ok(())
}

/// This program, on the database of a disk.
fn on(disk: &Path, command: &str, synchronous: &str) -> Result<Command, Failure> {
    let database: PathBuf = disk.join("ledger.db");
    let mut program = Command::new(env::current_exe()?);
    program
        .arg(command)
        .args(["--store", &format!("sqlite:{}", database.display())])
        .args(["--synchronous", synchronous])
        .stdin(Stdio::null());
    Ok(program)
}

/// Lets the writer write, from its first acknowledgement on.
fn write_for(writer: &mut Child, acks: &Path, duration: Duration) -> Result<(), Failure> {
    let start = Instant::now();
    while fs::metadata(acks)?.len() == 0 {
        if writer.try_wait()?.is_some() || start.elapsed() > PATIENCE {
            return Err("the writer did not write".into());
        }
        thread::sleep(Duration::from_millis(1));
    }
    thread::sleep(duration);
    match writer.try_wait()? {
        None => Ok(()),
        Some(_) => Err("the writer ended by itself".into()),
    }
}
