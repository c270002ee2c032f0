//! What a store can lose.

use std::fmt;

/// Whether writes that were acknowledged survive something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Survival {
    /// They do.
    Kept,
    /// Some may be lost.
    MayBeLost,
    /// The store could not find out.
    #[default]
    Unknown,
}

impl fmt::Display for Survival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kept => "kept",
            Self::MayBeLost => "may be lost",
            Self::Unknown => "unknown",
        })
    }
}

/// What becomes of acknowledged writes, as far as the store knows its server's settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Durability {
    /// When the process that holds the data crashes.
    pub process_crash: Survival,
    /// When the machine loses power.
    pub power_loss: Survival,
    /// When another server takes over.
    pub failover: Survival,
}
