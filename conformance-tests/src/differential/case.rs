//! One sequence of steps, on a fresh store and on the reference.

use std::future::Future;
use std::time::Duration;

use sync_tracker_core::{ManualClock, StoreClock, SyncStore};
use tokio::time::timeout;

use super::action::Action;
use super::compare::{Found, agree, everything, is_sound};
use super::resolve::Course;
use super::steps::Step;
use crate::ground::{Fixture, Setup, at, namespace};

/// How long one step may take, with all that is read after it.
const LIMIT: Duration = Duration::from_secs(60);

/// After how many steps a store looks for discrepancies of its own.
const VERIFIED_EVERY: usize = 8;

/// What was done, for the report, and how far it went.
#[derive(Debug, Default)]
pub(super) struct Trace {
    /// Each action that was taken, with its values.
    pub(super) lines: Vec<String>,
    /// How many steps were taken.
    pub(super) steps: usize,
}

/// Takes the steps one by one, and compares after each.
pub(super) async fn play<S, O>(open: &S, steps: &[Step], trace: &mut Trace) -> Found
where
    S: Fn(Setup) -> O,
    O: Future<Output: Fixture>,
{
    let clock = ManualClock::new(at(1_700_000_000_000)).expect("within range");
    let setup =
        Setup { namespace: namespace("differential"), clock: StoreClock::Manual(clock.clone()) };
    let (store, _guard) = open(setup).await.into_parts();
    let mut course = Course::new(clock.now());
    for step in steps {
        trace.steps += 1;
        let sound = trace.steps.is_multiple_of(VERIFIED_EVERY) || trace.steps == steps.len();
        let taken = take(&mut course, &clock, &*store, step, sound, trace);
        timeout(LIMIT, taken).await.map_err(|_| format!("not done within {LIMIT:?}"))??;
    }
    Ok(())
}

async fn take(
    course: &mut Course,
    clock: &ManualClock,
    store: &dyn SyncStore,
    step: &Step,
    sound: bool,
    trace: &mut Trace,
) -> Found {
    for action in course.resolve(step) {
        trace.lines.push(format!("at {}: {action:?}", course.now));
        if let Action::Clock(instant) = action {
            clock.set(instant).expect("within range");
            course.now = instant;
        }
        let answer = action.on_store(store).await;
        agree(&action, &answer, &course.take_after(&action, &answer))?;
    }
    everything(course, store, trace.steps.is_multiple_of(2)).await?;
    if let Some(look) = &step.look {
        let look = course.look(look);
        let answer = look.on_store(store).await;
        agree(&look, &answer, &course.take(&look))?;
    }
    if sound { is_sound(store).await } else { Ok(()) }
}
