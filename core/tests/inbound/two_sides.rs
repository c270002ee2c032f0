//! Two applications that sync one thing with each other, each with a tracker of its own: writes stop
//! soon after the edits do, and no edit is lost without a word.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use sync_tracker_core::rules::Winner;
use sync_tracker_core::{
    EntityRef, Fingerprint, Observed, Push, RemoteVersion, Status, SyncRecord, Tracker, Verdict,
};
use sync_tracker_memory::MemoryStore;

use super::scene::{etag, run, version};

/// The edits that made a content, each with a number of its own.
type Edits = BTreeSet<u32>;

const OTHER: &str = "other";
const ID: &str = "T";

fn print(content: &Edits) -> Fingerprint {
    Fingerprint::of(content).unwrap()
}

/// How both sides behave.
#[derive(Clone, Copy, Debug)]
struct Manners {
    /// Versions are entity tags, without an order.
    opaque: bool,
    /// The reply to a write tells the version that it made.
    tells_version: bool,
    /// Every write to the database counts as a local change, also one that was taken over.
    counts_every_write: bool,
    /// Pushes are made whatever is there by then.
    is_blind: bool,
    policy: Policy,
}

#[derive(Clone, Copy, Debug)]
enum Policy {
    Ours,
    Theirs,
    Both,
}

/// One application: its database, which the other writes to as well, and its tracker.
struct Side {
    content: Edits,
    version: i64,
    tracker: Tracker,
    thing: EntityRef,
}

/// An event: to whom, and what it tells.
#[derive(Clone, Debug)]
struct Event {
    to: usize,
    version: i64,
    content: Edits,
}

/// A push whose request is done, and whose reply is under way.
struct Reply {
    of: usize,
    push: Push,
    content: Edits,
    version: Option<i64>,
}

struct World {
    manners: Manners,
    sides: [Side; 2],
    events: Vec<Event>,
    replies: Vec<Reply>,
    /// The edits that a decision on a conflict dropped.
    dropped: Edits,
    /// Writes to the other side.
    writes: u32,
}

impl World {
    async fn in_step(manners: Manners) -> Self {
        let mut sides = Vec::new();
        for _ in 0..2 {
            let tracker = Tracker::new(MemoryStore::new());
            let thing = EntityRef::new("thing", "1").unwrap();
            let content = Edits::new();
            let synced = tracker.mark_synced(&thing, OTHER).external_id(ID);
            let synced = synced.remote_version(manners.stamp(1)).fingerprint(print(&content));
            assert!(synced.await.unwrap().is_applied());
            sides.push(Side { content, version: 1, tracker, thing });
        }
        let sides = sides.try_into().ok().unwrap();
        let (events, replies) = (Vec::new(), Vec::new());
        Self { manners, sides, events, replies, dropped: Edits::new(), writes: 0 }
    }

    /// Writes to the database of a side, which tells the other one by an event.
    async fn write(&mut self, at: usize, content: Edits, is_local_change: bool) {
        let side = &mut self.sides[at];
        side.content = content;
        side.version += 1;
        let event = Event { to: 1 - at, version: side.version, content: side.content.clone() };
        self.events.push(event);
        if is_local_change || self.manners.counts_every_write {
            let outcomes = side.tracker.updated(&side.thing).await.unwrap();
            assert!(outcomes[0].outcome.is_applied());
        }
    }

    async fn edit(&mut self, at: usize, number: u32) {
        let mut content = self.sides[at].content.clone();
        content.insert(number);
        self.write(at, content, true).await;
    }

    async fn record(&self, at: usize) -> SyncRecord {
        let side = &self.sides[at];
        side.tracker.record(&side.thing, OTHER).await.unwrap().unwrap()
    }

    /// Sends what is due, on condition that the other side is as it was when it was last seen.
    async fn push(&mut self, of: usize) {
        let side = &self.sides[of];
        let content = side.content.clone();
        let mut claimed = side.tracker.claim(OTHER).await.unwrap();
        let Some(push) = claimed.pushes.pop() else { return };
        if push.is_unchanged(&print(&content)) {
            assert!(push.synced().await.unwrap().is_applied());
            return;
        }
        let to = 1 - of;
        let expected = push.record().remote_version.clone();
        let is_met = expected == Some(self.manners.stamp(self.sides[to].version));
        let version = if is_met || self.manners.is_blind {
            assert!(push.expect_echo(&print(&content)).await.unwrap().is_applied());
            self.writes += 1;
            // The other side cannot tell this write from an edit.
            self.write(to, content.clone(), true).await;
            Some(self.sides[to].version)
        } else {
            None
        };
        self.replies.push(Reply { of, push, content, version });
    }

    /// A reply arrives. If the other side had moved, it is read.
    async fn hear(&mut self, reply: Reply) {
        let Reply { of, push, content, version } = reply;
        let Some(version) = version else {
            assert!(push.release().await.unwrap().is_applied());
            self.read(of).await;
            return;
        };
        let mut synced = push.synced().fingerprint(print(&content));
        if self.manners.tells_version {
            synced = synced.remote_version(self.manners.stamp(version));
        }
        assert!(synced.await.unwrap().is_applied());
    }

    async fn read(&mut self, at: usize) {
        let record = self.record(at).await;
        let seen = &self.sides[1 - at];
        let (stamp, content) = (self.manners.stamp(seen.version), seen.content.clone());
        let observe = self.sides[at].tracker.observe(OTHER, "thing", ID).version(stamp);
        let observed = observe.fingerprint(print(&content)).read_since(&record).await.unwrap();
        assert!(!observed.verdict.asks_to_read(), "it was read just now: {:?}", observed.verdict);
        self.take_over(at, &observed, content).await;
    }

    async fn deliver(&mut self, event: Event) {
        let Event { to, version, content } = event;
        let observe = self.sides[to].tracker.observe(OTHER, "thing", ID);
        let observe = observe.version(self.manners.stamp(version)).fingerprint(print(&content));
        let observed = observe.await.unwrap();
        if observed.verdict.asks_to_read() {
            self.read(to).await;
        } else {
            self.take_over(to, &observed, content).await;
        }
    }

    async fn take_over(&mut self, at: usize, observed: &Observed, theirs: Edits) {
        match observed.verdict {
            Verdict::Newer => {
                self.write(at, theirs, false).await;
                let accepted = self.sides[at].tracker.accept_remote(observed).await.unwrap();
                assert!(accepted.is_applied(), "{:?}", accepted.refusal());
            }
            Verdict::Conflict(_) => self.decide(at, theirs).await,
            Verdict::Same | Verdict::Stale | Verdict::Echo => {}
            other => panic!("{other:?}"),
        }
    }

    async fn decide(&mut self, at: usize, theirs: Edits) {
        let ours = self.sides[at].content.clone();
        let remote = print(&theirs);
        let winner = match self.manners.policy {
            _ if ours == theirs => Winner::Remote,
            Policy::Ours => {
                self.dropped.extend(theirs.difference(&ours));
                Winner::Local
            }
            Policy::Theirs => {
                self.dropped.extend(ours.difference(&theirs));
                self.write(at, theirs, false).await;
                Winner::Remote
            }
            Policy::Both => {
                self.write(at, ours.union(&theirs).copied().collect(), false).await;
                Winner::Local
            }
        };
        let record = self.record(at).await;
        let resolve = self.sides[at].tracker.resolve(&record, winner).remote_fingerprint(remote);
        let resolved = resolve.await.unwrap();
        assert!(resolved.is_applied(), "{:?}", resolved.refusal());
    }

    async fn step(&mut self, step: Step, number: u32) {
        match step {
            Step::Edit(at) => self.edit(at.into(), number).await,
            Step::Push(of) => self.push(of.into()).await,
            Step::Reply(which) if !self.replies.is_empty() => {
                let reply = self.replies.remove(usize::from(which) % self.replies.len());
                self.hear(reply).await;
            }
            Step::Deliver { which, again } if !self.events.is_empty() => {
                let place = usize::from(which) % self.events.len();
                let event =
                    if again { self.events[place].clone() } else { self.events.remove(place) };
                self.deliver(event).await;
            }
            Step::Reply(_) | Step::Deliver { .. } => {}
        }
    }

    /// Goes on without edits until nothing is left to do. How many writes that took.
    async fn settle(&mut self) -> u32 {
        let before = self.writes;
        for _ in 0..20 {
            while let Some(event) = self.events.pop() {
                self.deliver(event).await;
            }
            for of in 0..2 {
                self.push(of).await;
            }
            while let Some(reply) = self.replies.pop() {
                self.hear(reply).await;
            }
            let is_quiet = self.events.is_empty()
                && self.record(0).await.status() == Status::Synced
                && self.record(1).await.status() == Status::Synced;
            if is_quiet {
                return self.writes - before;
            }
        }
        panic!("it does not end: {:?}", (self.record(0).await, self.record(1).await));
    }
}

impl Manners {
    fn stamp(self, number: i64) -> RemoteVersion {
        if self.opaque { etag(number) } else { version(number) }
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Edit(bool),
    Push(bool),
    Reply(u8),
    Deliver { which: u8, again: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => any::<bool>().prop_map(Step::Edit),
        3 => any::<bool>().prop_map(Step::Push),
        2 => any::<u8>().prop_map(Step::Reply),
        4 => (any::<u8>(), any::<bool>()).prop_map(|(which, again)| Step::Deliver { which, again }),
    ]
}

fn manners() -> impl Strategy<Value = Manners> {
    let policy = prop_oneof![Just(Policy::Ours), Just(Policy::Theirs), Just(Policy::Both)];
    (any::<bool>(), any::<bool>(), any::<bool>(), policy).prop_map(
        |(opaque, tells_version, counts_every_write, policy)| Manners {
            opaque,
            tells_version,
            counts_every_write,
            is_blind: false,
            policy,
        },
    )
}

/// The writes that follow the last edit: each side may have something to push, find that the other
/// has moved, decide, and push that.
const WRITES_AFTER_THE_LAST_EDIT: u32 = 3;

impl World {
    /// The edits that are neither in both end states nor in a decision.
    fn lost(&self, edits: &Edits) -> Edits {
        let [one, other] = &self.sides;
        let kept = |edit: &u32| one.content.contains(edit) && other.content.contains(edit);
        let lost = edits.iter().filter(|edit| !kept(edit) && !self.dropped.contains(edit));
        lost.copied().collect()
    }
}

/// Shows that the property below can fail.
#[test]
fn a_push_without_condition_loses_what_the_other_side_edited() {
    for is_blind in [false, true] {
        let manners = Manners {
            opaque: false,
            tells_version: true,
            counts_every_write: true,
            is_blind,
            policy: Policy::Both,
        };
        run(async {
            let mut world = World::in_step(manners).await;
            world.edit(0, 1).await;
            world.edit(1, 2).await;
            // Events lag behind.
            let late = std::mem::take(&mut world.events);
            world.push(0).await;
            let reply = world.replies.pop().unwrap();
            world.hear(reply).await;
            world.events.extend(late);
            world.settle().await;
            assert_eq!(world.lost(&Edits::from([1, 2])).is_empty(), !is_blind);
        });
    }
}

proptest! {
    #[test]
    fn two_sides_come_to_rest_in_the_same_state_and_lose_no_edit(
        manners in manners(),
        steps in vec(step(), 0..60),
    ) {
        run(async {
            let mut world = World::in_step(manners).await;
            let mut edits = Edits::new();
            for (number, step) in (0..).zip(steps) {
                if let Step::Edit(_) = step {
                    edits.insert(number);
                }
                world.step(step, number).await;
            }
            let writes = world.settle().await;
            prop_assert!(writes <= WRITES_AFTER_THE_LAST_EDIT, "{writes} writes");
            prop_assert_eq!(&world.sides[0].content, &world.sides[1].content);
            let lost = world.lost(&edits);
            prop_assert!(lost.is_empty(), "lost without a word: {lost:?}");
            Ok(())
        })?;
    }
}
