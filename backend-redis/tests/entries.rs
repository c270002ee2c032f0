//! The scripts of the inbox and of the checkpoints say what the functions of core say, whatever is
//! called in whatever order.

#![allow(clippy::unwrap_used)] // helpers of tests too

#[path = "servers/mod.rs"]
mod servers;

use sync_tracker_core::{
    BeginInbox, ChangeId, CheckpointEntry, CheckpointStore, DedupeKey, Generation, InboxEntry,
    InboxStore, JsonValue, ManualClock, Millis, PurgeHorizon, SaveCheckpoint, Source, Step,
    StoreClock, StreamName, Ticket, Timestamp, Token, Version,
};
use sync_tracker_redis::{RedisOptions, RedisStore};

use self::servers::{OwnPrefix, url};

const STEPS: u32 = 3_000;

/// Numbers that look random, the same each time (xorshift).
struct Drawn(u64);

impl Drawn {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn id(&mut self) -> ChangeId {
        ChangeId::from_bits(self.below(4))
    }

    fn span(&mut self) -> Millis {
        let spans = [1, 5, 60_000, 315_360_000_000];
        Millis::new(spans[usize::try_from(self.below(4)).unwrap()]).unwrap()
    }

    fn value(&mut self) -> JsonValue {
        let values = ["null", "[]", "{}", r#"{"a":[1.5,"\u0001",9007199254740993]}"#];
        let text = values[usize::try_from(self.below(4)).unwrap()];
        JsonValue::new(serde_json::from_str(text).unwrap()).unwrap()
    }
}

async fn opened(name: &str) -> (RedisStore, ManualClock, OwnPrefix) {
    let own = OwnPrefix::new(name, vec![url()]);
    let clock = ManualClock::new(Timestamp::from_millis(1_000).unwrap()).unwrap();
    let options = RedisOptions::from_url(&url()).unwrap().prefix(&own.prefix);
    let store = options.clock(StoreClock::Manual(clock.clone())).open().await.unwrap();
    (store, clock, own)
}

/// Takes a step of the reference.
fn take<E, A>(entry: &mut Option<E>, step: Step<E, A>) -> A {
    if let Some(written) = step.write {
        *entry = Some(written);
    }
    step.answer
}

fn move_on(clock: &ManualClock, drawn: &mut Drawn) {
    match drawn.below(20) {
        // At the end of its range tokens and instants are as large as they get.
        0 => clock.set(Timestamp::from_millis(1 << 42).unwrap()).unwrap(),
        1 => clock.set(Timestamp::from_millis(1_000).unwrap()).unwrap(),
        _ => clock.advance(Millis::new(drawn.below(4)).unwrap()),
    }
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_REDIS_URL"]
async fn messages_become_what_the_reference_says() {
    let (store, clock, _own) = opened("messages").await;
    let mut drawn = Drawn(7);
    let source = Source::new("shop").unwrap();
    let mut entries: [Option<InboxEntry>; 2] = [None, None];
    let mut last = [Token::ZERO; 2];
    for step in 0..STEPS {
        let at = usize::try_from(drawn.below(2)).unwrap();
        let key = DedupeKey::new(format!("message {at}")).unwrap();
        move_on(&clock, &mut drawn);
        let (entry, now) = (&mut entries[at], clock.now());
        let token = if drawn.below(8) == 0 { Token::new(1).unwrap() } else { last[at] };
        let ticket = Ticket { source: source.clone(), key: key.clone(), token };
        match drawn.below(4) {
            0 | 1 => {
                let (lease, id) = (drawn.span(), drawn.id());
                let Ok(request) = BeginInbox::new(source.clone(), key, lease, id) else { continue };
                let expected = take(entry, InboxEntry::begin(entry.as_ref(), &request, now));
                if let sync_tracker_core::Begun::Fresh(ticket) = &expected {
                    last[at] = ticket.token;
                }
                assert_eq!(store.begin(&request).await.unwrap(), expected, "{step}");
            }
            2 => {
                let (outcome, span) = (drawn.value(), drawn.span());
                let step_of = InboxEntry::complete(entry.as_ref(), &ticket, &outcome, span, now);
                let expected = take(entry, step_of);
                let answer = store.complete(&ticket, &outcome, span).await.unwrap();
                assert_eq!(answer, expected, "{step}");
            }
            _ => {
                let expected = take(entry, InboxEntry::abandon(entry.as_ref(), &ticket));
                assert_eq!(store.abandon(&ticket).await.unwrap(), expected, "{step}");
            }
        }
        if drawn.below(10) == 0 {
            let grace = drawn.span();
            let mut forgotten = 0;
            for entry in &mut entries {
                if entry.as_ref().is_some_and(|entry| entry.is_expired(grace, now)) {
                    *entry = None;
                    forgotten += 1;
                }
            }
            assert_eq!(store.forget_expired(&source, grace).await.unwrap(), forgotten, "{step}");
        }
    }
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_REDIS_URL"]
async fn checkpoints_become_what_the_reference_says() {
    let (store, clock, _own) = opened("streams").await;
    let mut drawn = Drawn(7);
    let source = Source::new("shop").unwrap();
    let stream = StreamName::new("orders").unwrap();
    let mut entry: Option<CheckpointEntry> = None;
    let mut horizon: Option<PurgeHorizon> = None;
    for step in 0..STEPS {
        move_on(&clock, &mut drawn);
        let there = entry.clone().unwrap_or_default().checkpoint().clone();
        match drawn.below(6) {
            0 => {
                let id = drawn.id();
                let step_of = CheckpointEntry::reset(entry.as_ref(), id);
                let expected = take(&mut entry, step_of);
                let answer = store.reset(&source, &stream, id).await.unwrap();
                assert_eq!(answer, expected, "{step}");
            }
            1 => {
                let to = Timestamp::from_millis(i64::try_from(drawn.below(2_000)).unwrap() - 500);
                let to = to.unwrap();
                let step_of = PurgeHorizon::raise(horizon.as_ref(), to);
                let expected = take(&mut horizon, step_of);
                assert_eq!(store.raise_horizon(&source, to).await.unwrap(), expected, "{step}");
                assert_eq!(store.horizon(&source).await.unwrap(), Some(expected), "{step}");
            }
            place => {
                let other = Version::new(drawn.below(3)).unwrap();
                let (version, generation) = match place {
                    2 => (other, there.generation),
                    3 => (there.version, Generation::new(drawn.below(3)).unwrap()),
                    _ => (there.version, there.generation),
                };
                let (source, stream) = (source.clone(), stream.clone());
                let (value, id) = (drawn.value(), drawn.id());
                let save = SaveCheckpoint { source, stream, value, version, generation, id };
                let step_of = CheckpointEntry::save(entry.as_ref(), &save, clock.now());
                let expected = take(&mut entry, step_of);
                assert_eq!(store.save(&save).await.unwrap(), expected, "{step}");
            }
        }
        let there = entry.clone().unwrap_or_default().checkpoint().clone();
        assert_eq!(store.load(&source, &stream).await.unwrap(), there, "{step}");
    }
}
