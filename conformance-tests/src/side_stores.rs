//! What the suites of the stores beside the records have in common, those of an inbox and of
//! checkpoints: the ground that a behaviour stands on, and what is made of a list.

use std::any::Any;
use std::future::Future;
use std::sync::Arc;

use serde_json::{Value, json};
use sync_tracker_core::{
    CheckpointStore, InboxStore, JsonValue, ManualClock, Source, StoreClock, Timestamp,
};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::ground::{Guarded, Setup, at, namespace, span};
use crate::run::within_limit;

/// What a factory may return for the suite of a trait `T`: a store, or a store with a
/// [guard](Guarded).
pub trait SideStoreFixture<T: ?Sized> {
    /// The store, and what to keep until the behaviour is done.
    fn into_parts(self) -> (Arc<T>, Box<dyn Any>);
}

macro_rules! fixtures {
    ($store:ident) => {
        impl<S: $store> SideStoreFixture<dyn $store> for S {
            fn into_parts(self) -> (Arc<dyn $store>, Box<dyn Any>) {
                (Arc::new(self), Box::new(()))
            }
        }

        impl<S: $store, G: 'static> SideStoreFixture<dyn $store> for Guarded<S, G> {
            fn into_parts(self) -> (Arc<dyn $store>, Box<dyn Any>) {
                (Arc::new(self.store), Box::new(self.guard))
            }
        }
    };
}
fixtures!(InboxStore);
fixtures!(CheckpointStore);

/// A fresh store and its clock.
#[derive(Debug)]
pub struct SideStoreGround<T: ?Sized> {
    pub(crate) store: Arc<T>,
    pub(crate) clock: ManualClock,
    /// A store on a namespace of its own that decides by its server's clock.
    pub(crate) by_own_clock: Arc<T>,
    _guards: [Box<dyn Any>; 2],
}

/// Runs a behaviour on a fresh store: in a thread and on a runtime of its own, within the limit.
pub(crate) fn run<T, S, O, B, R>(name: &'static str, open: S, behaviour: B)
where
    T: ?Sized + 'static,
    S: Fn(Setup) -> O + Send + 'static,
    O: Future<Output: SideStoreFixture<T>>,
    B: FnOnce(SideStoreGround<T>) -> R + Send + 'static,
    R: Future<Output = ()>,
{
    within_limit(name, async move || {
        let clock = ManualClock::new(at(1_700_000_000_000)).expect("within range");
        let setup = |clock| Setup { namespace: namespace(name), clock };
        let (store, guard) = open(setup(StoreClock::Manual(clock.clone()))).await.into_parts();
        let (by_own_clock, other) = open(setup(StoreClock::Server)).await.into_parts();
        behaviour(SideStoreGround { store, clock, by_own_clock, _guards: [guard, other] }).await;
    });
}

impl<T: ?Sized + Send + Sync + 'static> SideStoreGround<T> {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn advance(&self, millis: u64) {
        self.clock.advance(span(millis));
    }

    /// Starts tasks that all wait for each other before they begin, and gathers what they bring.
    pub(crate) async fn race<A, F>(&self, tasks: usize, act: impl Fn(Arc<T>, usize) -> F) -> Vec<A>
    where
        A: Send + 'static,
        F: Future<Output = A> + Send + 'static,
    {
        let barrier = Arc::new(Barrier::new(tasks));
        let mut running = JoinSet::new();
        for number in 0..tasks {
            let (barrier, act) = (Arc::clone(&barrier), act(Arc::clone(&self.store), number));
            running.spawn(async move {
                barrier.wait().await;
                act.await
            });
        }
        running.join_all().await
    }
}

pub(crate) fn source(name: &str) -> Source {
    Source::new(name).expect("a name")
}

pub(crate) fn value(value: Value) -> JsonValue {
    JsonValue::new(value).expect("within the limits")
}

/// Names that a store could confuse, each of which is another.
pub(crate) fn look_alikes() -> Vec<String> {
    let longest = "é".repeat(127);
    [
        "a",
        "A",
        "a ",
        " a",
        "aa",
        "a:b",
        "a/b",
        "a\\b",
        "a'b",
        "a\"b",
        "a%b",
        "a_b",
        "a.b",
        "$a",
        "*",
        "é",
        "e\u{301}",
        "ß",
        "ss",
        "İ",
        "ı",
        "\u{200b}",
        "\u{feff}",
        "😀",
        "0",
        "00",
        "null",
        "sync-tracker/source",
        "a\u{a0}b",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain([format!("{longest}x"), format!("{longest}y")])
    .collect()
}

/// Values that a store could change, each of which is another.
pub(crate) fn hostile_values() -> Vec<JsonValue> {
    let deepest = (1..JsonValue::MAX_DEPTH).fold(json!([]), |inner, _| json!([inner]));
    [
        json!(null),
        json!({}),
        json!([]),
        json!([{}, [], null, ""]),
        json!(""),
        json!("0"),
        json!(0),
        json!(false),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(9_007_199_254_740_993_i64),
        json!([0.1, 5e-324, 1e300, -1.5]),
        json!({ "": 1, "$set": { "a.b": null }, "__proto__": [], "😀\n\u{1f}": "\u{2028}'\"\\%" }),
        json!("2024-01-01T00:00:00.000Z"),
        json!("x".repeat(JsonValue::MAX_BYTES - 2)),
        deepest,
    ]
    .map(value)
    .into()
}

/// Makes one test per behaviour of a suite.
#[doc(hidden)]
#[macro_export]
macro_rules! listed_tests {
    ($suite:ident, $factory:expr, $attributes:tt $($name:ident,)*) => {
        $($crate::listed_test! { $suite, $factory, $attributes $name })*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! listed_test {
    ($suite:ident, $factory:expr, [$(#[$attribute:meta])*] $name:ident) => {
        #[test]
        $(#[$attribute])*
        fn $name() {
            $crate::$suite::run(stringify!($name), $factory, $crate::$suite::behaviours::$name);
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! listed_names {
    ($($name:ident,)*) => {
        &[$(stringify!($name),)*]
    };
}

/// Each behaviour of a suite as its name and a function that runs it on the stores of an opener of
/// type `$open`, for tests of the behaviours themselves.
#[doc(hidden)]
#[macro_export]
macro_rules! listed_cases {
    ($suite:ident, $open:ty, $($name:ident,)*) => {
        &[$((stringify!($name), |open: $open| {
            $crate::$suite::run(stringify!($name), open, $crate::$suite::behaviours::$name);
        }),)*]
    };
}
