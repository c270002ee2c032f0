//! How far it is: a bar on a terminal, plain lines elsewhere.

use std::io::{IsTerminal, stderr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

/// Shows how many of all products are done. Clones show together.
#[derive(Clone, Debug)]
pub struct Progress {
    what: &'static str,
    bar: Option<ProgressBar>,
    /// The tenths that a plain line was printed for.
    tenths: Arc<AtomicU64>,
}

impl Progress {
    /// Shows the progress of what is being done, on standard error.
    #[must_use]
    pub fn new(what: &'static str) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {elapsed}");
            let bar = ProgressBar::new(0).with_message(what);
            match style {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        });
        Self { what, bar, tenths: Arc::default() }
    }

    /// So many of so many are done.
    pub fn show(&self, done: u64, all: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(all);
            bar.set_position(done);
            return;
        }
        let tenths = done * 10 / all.max(1);
        if self.tenths.fetch_max(tenths, Ordering::Relaxed) < tenths {
            eprintln!("{}: {done} of {all}", self.what);
        }
    }

    /// Everything is done.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish();
        }
    }
}
