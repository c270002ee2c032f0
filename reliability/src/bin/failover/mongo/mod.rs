//! MongoDB: another member of the replica set takes over.

mod campaign;
mod cycle;

pub(crate) use self::campaign::run;
