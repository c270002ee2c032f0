//! Who kills the process, at the moment that was drawn.

use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use sync_tracker_examples::shop;
use tokio::sync::oneshot;

/// When to kill, with regard to a change of the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// When it is made, before anybody is told.
    BeforeAnswer,
    /// So long after its answer went out.
    AfterAnswer(Duration),
}

/// Watches the shop and kills its client.
#[derive(Clone, Default)]
pub(crate) struct Reaper(Arc<Mutex<Option<Errand>>>);

struct Errand {
    /// The first change at which to kill.
    effect: u64,
    moment: Moment,
    child: Child,
    /// Told at which change it was.
    done: oneshot::Sender<u64>,
}

impl Reaper {
    /// Kills this process at the first change from the one with this number on whose moment comes,
    /// and waits until it is gone. Gives the number of the change.
    pub(crate) async fn kill_at(
        &self,
        effect: u64,
        moment: Moment,
        child: Child,
        patience: Duration,
    ) -> u64 {
        let (done, killed) = oneshot::channel();
        let errand = Errand { effect, moment, child, done };
        assert!(self.lock().replace(errand).is_none());
        let killed = tokio::time::timeout(patience, killed).await;
        killed.expect("enough changes to kill at").expect("killed")
    }

    /// The shop has news. It waits, so nothing is answered before the process is gone.
    pub(crate) fn told(&self, moment: shop::Moment, seq: u64) {
        let is_its_time = |errand: &mut Errand| {
            let fits = match errand.moment {
                Moment::BeforeAnswer => moment == shop::Moment::Made,
                Moment::AfterAnswer(_) => moment == shop::Moment::Answered,
            };
            fits && seq >= errand.effect
        };
        let Some(errand) = self.lock().take_if(is_its_time) else { return };
        match errand.moment {
            Moment::BeforeAnswer => errand.carry_out(seq),
            Moment::AfterAnswer(wait) => drop(thread::spawn(move || {
                thread::sleep(wait);
                errand.carry_out(seq);
            })),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Errand>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Errand {
    fn carry_out(mut self, seq: u64) {
        self.child.kill().expect("SIGKILL is sent");
        let status = self.child.wait().expect("gone");
        assert_eq!(status.signal(), Some(9), "it ended by itself before it was killed");
        self.done.send(seq).expect("somebody waits");
    }
}
