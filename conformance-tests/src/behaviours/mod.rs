//! What stores do, one function per behaviour. The list of them is in `list.rs`.

#![allow(missing_docs)] // the names are the sentences

pub mod apply;
pub mod batches;
pub mod cancellation;
pub mod external_ids;
pub mod failures;
pub mod fidelity;
pub mod held;
pub mod imports;
pub mod inbound;
pub mod leases;
pub mod local;
pub mod owners;
pub mod pauses;
pub mod races;
pub mod reserved;
pub mod rules;
pub mod success;
pub mod walking;
