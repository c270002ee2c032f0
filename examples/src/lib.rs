//! What the example applications share: reading a product catalogue and a shop to push it to.

pub mod catalog;
pub mod client;
pub mod progress;
pub mod shop;
