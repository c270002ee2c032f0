//! Those who write, and what they were told.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sync_tracker::{AnyStore, Error, ErrorKind};
use sync_tracker_reliability::Failure;
use sync_tracker_reliability::acks::{Ack, Acked};
use sync_tracker_reliability::writer::write;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep, timeout};

use crate::counter::count;

/// How many write, and how many count besides.
const WRITERS: u32 = 8;

/// How long it may take until all have heard of a write.
const PATIENCE: Duration = Duration::from_secs(40);

/// Writers and counters at work.
#[derive(Debug)]
pub(crate) struct Crew {
    log: Arc<Log>,
    store: Arc<dyn AnyStore>,
    surprises: Surprises,
    at_work: JoinSet<(Member, Result<(), Error>)>,
    failures: Vec<String>,
    surprised: Vec<String>,
}

/// What becomes of a writer that meets what cannot be unless something was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Surprises {
    /// It leaves, which is a failure.
    Fail,
    /// Another one comes in its place, with entities of its own.
    MayCome,
}

/// A writer or a counter, by its number.
#[derive(Clone, Copy, Debug)]
enum Member {
    Writer(u32),
    Counter(u32),
}

impl Member {
    fn all() -> impl Iterator<Item = Self> {
        (0..WRITERS).map(Self::Writer).chain((0..WRITERS).map(Self::Counter))
    }

    fn place(self) -> usize {
        let place = match self {
            Self::Writer(number) => number % WRITERS,
            Self::Counter(number) => WRITERS + number,
        };
        place as usize
    }
}

/// What all were told.
#[derive(Debug)]
struct Log(Mutex<Told>);

#[derive(Debug)]
struct Told {
    acked: Acked,
    counted: Vec<u64>,
    /// Since when it is looked who hears of a write.
    since: Instant,
    /// By place.
    places: Vec<Place>,
    is_over: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Place {
    /// How long it took to hear of a write.
    heard: Option<Duration>,
    /// By an error, before it was over.
    has_left: bool,
    /// Because it was over.
    was_sent_home: bool,
}

/// What it comes to.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) acked: Acked,
    /// By counter, how many increments were acknowledged.
    pub(crate) counted: Vec<u64>,
    /// Of those who left before it was over, why.
    pub(crate) failures: Vec<String>,
    /// Of those who were replaced, why.
    pub(crate) surprised: Vec<String>,
}

/// How long it took until the first heard of a write, and until all had.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    pub(crate) first: Duration,
    pub(crate) all: Duration,
}

impl Log {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of an acknowledgement, and sends the member home if it is over.
    fn note(&self, member: Member, ack: Option<Ack>) -> io::Result<()> {
        let mut told = self.told();
        match (member, ack) {
            (_, Some(ack)) => told.acked.add(ack),
            (Member::Counter(number), None) => told.counted[number as usize] += 1,
            (Member::Writer(_), None) => {}
        }
        let (after, is_over) = (told.since.elapsed(), told.is_over);
        let place = &mut told.places[member.place()];
        place.heard.get_or_insert(after);
        place.was_sent_home = is_over;
        if is_over { Err(io::Error::other("it is over")) } else { Ok(()) }
    }
}

impl Crew {
    pub(crate) fn start(store: &Arc<dyn AnyStore>, surprises: Surprises) -> Self {
        let log = Arc::new(Log(Mutex::new(Told {
            acked: Acked::default(),
            counted: vec![0; WRITERS as usize],
            since: Instant::now(),
            places: vec![Place::default(); Member::all().count()],
            is_over: false,
        })));
        let store = Arc::clone(store);
        let at_work = JoinSet::new();
        let (failures, surprised) = (Vec::new(), Vec::new());
        let mut crew = Self { log, store, surprises, at_work, failures, surprised };
        Member::all().for_each(|member| crew.sets_to_work(member));
        crew
    }

    fn sets_to_work(&mut self, member: Member) {
        let (store, log) = (Arc::clone(&self.store), Arc::clone(&self.log));
        self.at_work.spawn(async move {
            let done = match member {
                Member::Writer(number) => {
                    write(store, number, |ack| log.note(member, Some(ack))).await
                }
                Member::Counter(number) => count(store, number, || log.note(member, None)).await,
            };
            (member, done)
        });
    }

    /// Looks anew from now on who hears of a write.
    pub(crate) fn listen(&self) {
        let mut told = self.log.told();
        told.since = Instant::now();
        told.places.iter_mut().for_each(|place| place.heard = None);
    }

    /// Waits until all who are still at work have heard of a write.
    pub(crate) async fn all_heard(&mut self) -> Result<Heard, Failure> {
        let start = Instant::now();
        loop {
            while let Some(ended) = self.at_work.try_join_next() {
                self.leaves(ended)?;
            }
            let heard: Option<Vec<_>> = {
                let told = self.log.told();
                let at_work = told.places.iter().filter(|place| !place.has_left);
                at_work.map(|place| place.heard).collect()
            };
            if let Some(heard) = heard {
                let (first, all) = (heard.iter().min().copied(), heard.iter().max().copied());
                let heard = first.zip(all).map(|(first, all)| Heard { first, all });
                return heard.ok_or_else(|| format!("all have left: {:?}", self.failures).into());
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("not all hear of a write: {:?}", self.log.told().places).into());
            }
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// Ends the work, of each after its next acknowledgement.
    pub(crate) async fn end(mut self) -> Result<Story, Failure> {
        self.log.told().is_over = true;
        while let Some(ended) = timeout(PATIENCE, self.at_work.join_next()).await? {
            self.leaves(ended)?;
        }
        let mut told = self.log.told();
        let (acked, counted) = (std::mem::take(&mut told.acked), told.counted.clone());
        Ok(Story { acked, counted, failures: self.failures, surprised: self.surprised })
    }

    fn leaves(
        &mut self,
        ended: Result<(Member, Result<(), Error>), JoinError>,
    ) -> Result<(), Failure> {
        let (member, done) = ended?;
        let mut told = self.log.told();
        let place = &mut told.places[member.place()];
        if place.was_sent_home {
            return Ok(());
        }
        let left = format!("{member:?} left: {done:?}");
        if self.surprises == Surprises::MayCome
            && let (Member::Writer(number), Err(error)) = (member, &done)
            // What the store says has its name in it.
            && (error.kind(), error.store()) == (ErrorKind::Internal, None)
        {
            drop(told);
            self.surprised.push(left);
            self.sets_to_work(Member::Writer(number + WRITERS));
            return Ok(());
        }
        place.has_left = true;
        drop(told);
        self.failures.push(left);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sync_tracker::memory::MemoryStore;
    use sync_tracker_conformance::{Fault, FaultyStore};
    use sync_tracker_reliability::check::{Found, check};

    use crate::counter::counted;

    /// These faults, and after them a little time for each call, so that all get their turn.
    fn slowly(faults: impl IntoIterator<Item = Fault>) -> impl Iterator<Item = Fault> {
        let late = Fault::Late(Duration::from_millis(1));
        faults.into_iter().chain(std::iter::repeat_n(late, 100_000))
    }

    fn slow(faults: impl IntoIterator<Item = Fault>) -> FaultyStore<MemoryStore> {
        FaultyStore::planned(MemoryStore::new(), slowly(faults))
    }

    #[tokio::test]
    async fn all_that_the_crew_was_told_until_it_was_sent_home_is_there_and_no_more() {
        let store: Arc<dyn AnyStore> = Arc::new(slow([]));
        let mut crew = Crew::start(&store, Surprises::Fail);
        crew.all_heard().await.unwrap();
        crew.listen();
        let heard = crew.all_heard().await.unwrap();
        assert!(heard.first <= heard.all);
        let story = crew.end().await.unwrap();
        assert_eq!(story.failures, Vec::<String>::new());
        assert_eq!(check(&store, &story.acked).await.unwrap(), Found::default());
        for (counter, told) in (0..).zip(story.counted) {
            assert_eq!(counted(&store, counter).await.unwrap(), told);
        }
    }

    #[tokio::test]
    async fn whoever_leaves_because_of_an_error_is_told_and_not_waited_for() {
        let store = Arc::new(slow([]));
        let mut crew = Crew::start(&(Arc::clone(&store) as Arc<dyn AnyStore>), Surprises::Fail);
        crew.all_heard().await.unwrap();
        store.plan(slowly([Fault::NotDone(ErrorKind::Corrupt)]));
        while crew.at_work.len() == Member::all().count() {
            crew.listen();
            crew.all_heard().await.unwrap();
        }
        let story = crew.end().await.unwrap();
        assert_eq!(story.failures.len(), 1, "{:?}", story.failures);
    }
}
