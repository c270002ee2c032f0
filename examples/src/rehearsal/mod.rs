//! A rehearsal of two-way synchronisation: people on both sides edit at random, and at the end it is
//! checked that both sides are equal and nothing was lost.

mod journal;
mod people;
mod report;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

pub use self::journal::ActCounts;
use self::journal::Journal;
use self::people::{Person, Side};
pub use self::report::Report;
pub use self::verdict::Verdict;

use crate::client::ShopClient;
use crate::progress::Progress;
use crate::shop::{BadRate, Courier, Faults, Manners, Shop};
use crate::two_way::{Position, PullReport, Receiver, TwoWay, TwoWayError, Weakness};

/// Whatever ends a rehearsal early.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What is rehearsed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What chance is made of. Which edits are made is the same for the same seed, as far as the
    /// same products are there; when they meet is not.
    pub seed: u64,
    /// How many products there are at first, half of them made by each side.
    pub products: u32,
    /// How many edits are made, half of them by each side.
    pub edits: u32,
    /// A safeguard that is left out.
    pub weakness: Option<Weakness>,
    /// How long both sides may take to agree after the last edit.
    pub patience: Duration,
}

/// What pulls did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pulls {
    /// How many were completed.
    pub completed: u64,
    /// The page on which the process crashed.
    pub cut_on_page: u64,
    /// The page on which the next process went on.
    pub resumed_on_page: u64,
    /// How many broke off since the shop failed, and were resumed.
    pub broken_off: u64,
}

/// How the shop misbehaves.
fn faults() -> Result<Faults, BadRate> {
    Ok(Faults {
        error: 0.02.try_into()?,
        lost_reply: 0.15.try_into()?,
        slow: 0.002.try_into()?,
        slow_by: Duration::from_millis(1_200),
        ..Faults::NONE
    })
}

/// How long the client waits for an answer: shorter than a slow one takes.
const TIMEOUT: Duration = Duration::from_millis(800);
/// How often it is looked whether something is done.
const GLANCE: Duration = Duration::from_millis(10);

/// Both sides and all between them.
struct Stage {
    app: TwoWay,
    shop: Shop,
    courier: Courier,
    pulls: Pulls,
    deadline: Option<Instant>,
}

/// Rehearses.
pub async fn rehearse(plan: &Plan, progress: &Progress) -> Result<Report, Failure> {
    let (shop, events) = Shop::start_telling(faults()?).await?;
    let app = TwoWay::new(ShopClient::new(shop.url(), TIMEOUT)?, plan.weakness)?;
    let receiver = Receiver::start(app.clone()).await?;
    let manners = Manners {
        seed: plan.seed,
        twice: 0.3,
        lost: 0.05,
        thin: 0.1,
        longest: Duration::from_millis(40),
    };
    let courier = Courier::start(events, receiver.url().to_owned(), manners);
    let worker = app.worker()?.spawn();
    let pulls = Pulls::default();
    let mut stage = Stage { app: app.clone(), shop, courier, pulls, deadline: None };

    let journal = Arc::<Journal>::default();
    let person = |side| Person::new(side, plan.seed, &app, stage.shop.staff(), &journal);
    let (mut ours, mut theirs) = (person(Side::Ours), person(Side::Theirs));
    for number in 0..plan.products {
        if number % 2 == 0 { ours.create().await? } else { theirs.create().await? }
    }
    let each = plan.edits / 2;
    let editing = tokio::spawn(async move {
        let ours = async {
            for _ in 0..each {
                ours.edit().await?;
            }
            Ok::<_, TwoWayError>(())
        };
        let theirs = async {
            for _ in 0..each {
                theirs.edit().await?;
            }
            Ok::<_, TwoWayError>(())
        };
        tokio::try_join!(ours, theirs).map(drop)
    });
    let shown = Arc::clone(&journal);
    let all = u64::from(each) * 2;
    let show = || progress.show(shown.edits().min(all), all);
    while shown.edits() < all / 3 && !editing.is_finished() {
        show();
        sleep(GLANCE).await;
    }
    stage.pull_and_crash(if plan.products >= 20 { 2 } else { 1 }).await?;
    while !editing.is_finished() {
        show();
        sleep(GLANCE).await;
    }
    editing.await??;
    show();
    let last_edit = stage.shop.log().last_seq();

    stage.deadline = Some(Instant::now() + plan.patience);
    let agreed = stage.settle(plan.weakness).await?;
    let written = stage.shop.log().since(last_edit).len();
    let before = stage.shop.log().last_seq();
    if agreed {
        // Nothing happens any more, and it stays so.
        stage.pull().await?;
        sleep(GLANCE * 20).await;
    }
    let echoed = stage.shop.log().since(before).len();
    let worker = worker.stop().await;
    let verdict = Verdict::new(&app, &stage.shop, &journal, agreed).await?;
    let Stage { shop, courier, pulls, .. } = stage;
    let sent = courier.sent();
    let log = shop.stop().await;
    drop(receiver);
    progress.finish();
    Ok(Report {
        verdict,
        people: journal.counts(),
        tally: app.tally(),
        inbound: app.tracker().inbound_counts(),
        worker,
        sent,
        pulls,
        requests: log.requests(),
        resolutions: app.db().resolutions(),
        written_after: written,
        allowed_after: 2 * journal.products(),
        written_in_the_end: echoed,
    })
}

impl Stage {
    /// Pulls until the page, then the process crashes; another process goes on.
    async fn pull_and_crash(&mut self, page: u64) -> Result<(), Failure> {
        let (tell, mut told) = watch::channel(Position::default());
        loop {
            tokio::select! {
                biased;
                at = told.wait_for(|at| at.page == page && at.products >= 3) => {
                    self.pulls.cut_on_page = at?.page;
                    break;
                }
                // It broke off before, since the shop failed.
                ended = self.app.pull(&tell) => if self.note(ended)?.is_some() {
                    return Ok(()); // too few products to stop among them
                },
            }
        }
        let (tell, told) = watch::channel(Position::default());
        loop {
            let ended = self.app.pull(&tell).await;
            if self.pulls.resumed_on_page == 0 {
                self.pulls.resumed_on_page = told.borrow().first_page;
            }
            if self.note(ended)?.is_some() {
                return Ok(());
            }
        }
    }

    /// Pulls to the end. Where the shop fails, it goes on from the last page.
    async fn pull(&mut self) -> Result<(), Failure> {
        let (tell, _told) = watch::channel(Position::default());
        loop {
            let ended = self.app.pull(&tell).await;
            if self.note(ended)?.is_some() {
                return Ok(());
            }
        }
    }

    /// Counts a pull; what it came to, unless the shop made it break off.
    fn note(
        &mut self,
        ended: Result<PullReport, TwoWayError>,
    ) -> Result<Option<PullReport>, Failure> {
        match ended {
            Ok(report) => {
                self.pulls.completed += 1;
                Ok(Some(report))
            }
            Err(TwoWayError::Shop(_) | TwoWayError::Later(_)) => {
                self.pulls.broken_off += 1;
                Ok(None)
            }
            Err(problem) => Err(problem.into()),
        }
    }

    /// Waits until nothing is left to do, and until a full pull finds nothing new. Whether it came
    /// to that in time.
    async fn settle(&mut self, weakness: Option<Weakness>) -> Result<bool, Failure> {
        // What has no versions may never come to rest.
        let rounds = if weakness.is_some() { 4 } else { 20 };
        for _ in 0..rounds {
            if !self.quiet().await? {
                return Ok(false);
            }
            let before = self.footprint();
            self.pull().await?;
            if !self.quiet().await? {
                return Ok(false);
            }
            if self.footprint() == before {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What changes whenever something happens on a side.
    fn footprint(&self) -> (u64, u64, u64, u64, u64) {
        let tally = self.app.tally();
        let log = self.shop.log().last_seq();
        (log, tally.taken_over, tally.deleted, tally.restored, tally.merged)
    }

    /// Waits until no webhook is under way, nothing is to be pushed, and no conflict is open.
    async fn quiet(&self) -> Result<bool, Failure> {
        let quiet = async {
            let mut calm = 0;
            while calm < 3 {
                let idle = self.app.is_idle().await?;
                calm = if idle && self.courier.waiting() == 0 { calm + 1 } else { 0 };
                if !idle
                    && let Err(problem @ TwoWayError::Broken(_)) = self.app.resolve_open().await
                {
                    return Err(problem.into());
                }
                sleep(GLANCE).await;
            }
            Ok::<_, Failure>(())
        };
        match self.deadline {
            Some(deadline) => match timeout_at(deadline, quiet).await {
                Ok(ended) => ended.map(|()| true),
                Err(_) => Ok(false),
            },
            None => quiet.await.map(|()| true),
        }
    }
}
