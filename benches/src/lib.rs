//! What the benchmarks of sync-tracker have in common.
//!
//! Machines are noisy, so each benchmark runs its cases in turns and compares medians within one
//! run; ratios count more than figures.

pub mod contest;
pub mod cpu;
pub mod harness;
pub mod ours;
pub mod population;
pub mod report;
pub mod resident;
pub mod server;
pub mod table;
pub mod workload;

/// Whatever ends a benchmark early.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
