//! The pull side: what is seen in the remote, and what becomes of it.
//!
//! With `--nocapture` the tables and the counts of cases are printed; `PROPTEST_CASES` sets how many
//! cases each property has.

#![allow(clippy::unwrap_used)]

mod merges;
mod permutations;
mod scene;
mod sweeps;
mod truth;
mod two_sides;
