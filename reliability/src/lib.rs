//! Campaigns against running stores: a writer that says what was acknowledged, and a checker that
//! looks whether it is all there. Both know a store by its interface only.

pub mod acks;
pub mod campaign;
pub mod check;
pub mod disk;
pub mod mongo;
pub mod network;
pub mod postgres;
pub mod redis;
pub mod writer;

/// Why something could not be done.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
