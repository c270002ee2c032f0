//! Prints the name of every behaviour, one a line: what a store's test of this name has to run.

use sync_tracker_conformance::{
    BEHAVIOURS, CHECKPOINT_BEHAVIOURS, INBOX_BEHAVIOURS, TRANSACTION_BEHAVIOURS,
};

fn main() -> Result<(), String> {
    let behaviours = match std::env::args().nth(1).as_deref() {
        Some("conformance") | None => BEHAVIOURS,
        Some("inbox") => INBOX_BEHAVIOURS,
        Some("checkpoints") => CHECKPOINT_BEHAVIOURS,
        Some("transactions") => TRANSACTION_BEHAVIOURS,
        Some(other) => return Err(format!("there is no suite {other}")),
    };
    for name in behaviours {
        println!("{name}");
    }
    Ok(())
}
