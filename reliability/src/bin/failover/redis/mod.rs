//! Redis: a replica takes over, by Sentinels or in a cluster.

mod campaign;
mod cycle;
mod fleet;

pub(crate) use self::campaign::run;
pub(crate) use self::fleet::Topology;
