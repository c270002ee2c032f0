//! What the example applications share: reading a product catalogue, a shop to push it to, and the
//! application that keeps both sides in step.

pub mod catalog;
pub mod client;
pub mod progress;
pub mod rehearsal;
pub mod shop;
pub mod two_way;
