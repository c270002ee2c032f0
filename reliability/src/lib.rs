//! Campaigns against running stores: a writer that says what was acknowledged, and a checker that
//! looks whether it is all there. Both know a store by its URL only.

pub mod acks;
pub mod check;
pub mod writer;
