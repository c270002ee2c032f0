//! Prints the name of every behaviour, one a line: what a store's conformance test has to run.

fn main() {
    for name in sync_tracker_conformance::BEHAVIOURS {
        println!("{name}");
    }
}
