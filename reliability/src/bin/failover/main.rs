//! What becomes of acknowledged writes, and of those who write, when a standby takes over from a
//! primary.
//!
//! Two real servers, and writers over one store whose address leads to the primary through proxies.
//! In the middle of it the primary is killed, or cut off so that it lives on and nobody hears of
//! it; the standby is promoted, the address is led to it, and the writers go on by themselves.
//! Then everything that was acknowledged is looked for.

mod campaign;
mod counter;
mod crew;
mod cycle;
mod pair;
mod patient;

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
