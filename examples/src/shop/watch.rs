//! Looking over the shoulder of a shop.

use std::fmt;

/// What has just become of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It was made, and nobody has been told.
    Made,
    /// The answer goes out.
    Answered,
}

/// Who is told of each change, by its number. The shop waits meanwhile.
#[derive(Default)]
pub(super) struct Watch(Option<Box<dyn FnMut(Moment, u64) + Send>>);

impl Watch {
    pub(super) fn new(watch: impl FnMut(Moment, u64) + Send + 'static) -> Self {
        Self(Some(Box::new(watch)))
    }

    pub(super) fn tell(&mut self, moment: Moment, seq: u64) {
        if let Some(watch) = &mut self.0 {
            watch(moment, seq);
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Watch" } else { "no Watch" })
    }
}
