//! What the benchmarks of sync-tracker have in common.
//!
//! Machines are noisy, so each benchmark runs its cases in turns and compares medians within one
//! run; ratios count more than figures.

pub mod harness;
pub mod population;
pub mod resident;
pub mod table;
