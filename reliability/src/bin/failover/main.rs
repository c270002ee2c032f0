//! What becomes of acknowledged writes, and of those who write, when a standby takes over from a
//! primary.
//!
//! Real servers, and writers over one store. In the middle of it the primary is killed, or cut off
//! so that it lives on and nobody hears of it; a standby takes over, and the writers go on by
//! themselves. Then everything that was acknowledged is looked for.
//!
//! Of PostgreSQL, an address leads to the primary through proxies; the standby is promoted and the
//! address led to it. Of Redis and MongoDB, servers in a network of their own decide by
//! themselves.

mod campaign;
mod counter;
mod crew;
mod mongo;
mod outcomes;
mod patient;
mod postgres;
mod redis;

use std::process::ExitCode;

use clap::Parser;

use campaign::Campaign;

#[tokio::main]
async fn main() -> ExitCode {
    Campaign::parse().run().await.unwrap_or_else(|failure| {
        eprintln!("failover: {failure}");
        ExitCode::FAILURE
    })
}
