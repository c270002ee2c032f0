//! PostgreSQL: a standby is promoted.

mod campaign;
mod cycle;
mod pair;

pub(crate) use self::campaign::run;
