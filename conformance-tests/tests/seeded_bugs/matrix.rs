//! Every behaviour against every bug, each pair once.

use std::any::Any;
use std::future::{Ready, ready};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Once, OnceLock};
use std::thread;

use sync_tracker_conformance::{BEHAVIOURS, Setup, with_behaviours};

use crate::bug::Bug;
use crate::store::Store;

type Open = Box<dyn Fn(Setup) -> Ready<Store> + Send>;
type Case = (&'static str, fn(Open));

const CASES: &[Case] = with_behaviours!(cases Open,);

/// A behaviour that failed, and how.
pub(crate) struct Failed {
    pub(crate) behaviour: &'static str,
    pub(crate) message: String,
}

/// The behaviours that fail on the store with this bug.
pub(crate) fn caught(bug: Bug) -> &'static [Failed] {
    static CAUGHT: [OnceLock<Vec<Failed>>; Bug::ALL.len()] =
        [const { OnceLock::new() }; Bug::ALL.len()];
    CAUGHT[bug as usize].get_or_init(|| failed(Some(bug)))
}

/// The behaviours that fail on a store with a bug, or without.
pub(crate) fn failed(bug: Option<Bug>) -> Vec<Failed> {
    silence();
    CASES
        .iter()
        .filter_map(|(behaviour, run)| {
            let shared = Arc::default();
            let open: Open = Box::new(move |setup| ready(Store::open(bug, setup, &shared)));
            let cause = panic::catch_unwind(AssertUnwindSafe(|| run(open))).err()?;
            Some(Failed { behaviour, message: message(&*cause) })
        })
        .collect()
}

fn message(cause: &(dyn Any + Send)) -> String {
    let text = cause.downcast_ref::<String>().cloned();
    let text = text.or_else(|| cause.downcast_ref().map(|text: &&str| (*text).to_owned()));
    // Records of the longest text are long.
    text.unwrap_or_default().chars().take(1_000).collect()
}

/// Keeps the panics of behaviours off the terminal: they are what is asked for. Those of the tests
/// themselves are shown.
fn silence() {
    static SILENCED: Once = Once::new();
    SILENCED.call_once(|| {
        let show = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let thread = thread::current();
            let name = thread.name().unwrap_or_default();
            // A behaviour runs in a thread of its name, and what it spawns in those of tokio.
            if !BEHAVIOURS.contains(&name) && !name.starts_with("tokio-") {
                show(panic);
            }
        }));
    });
}
