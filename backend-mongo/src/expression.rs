//! Small expressions of the server's aggregation language.
//!
//! Every value of a user is a [`literal`], in which the server looks for nothing: no path, no
//! operator, no variable.

use mongodb::bson::{Bson, DateTime, bson};
use sync_tracker_core::{Millis, Timestamp};

use crate::value::{date, whole};

/// A value that is taken as it is.
pub(crate) fn literal(value: impl Into<Bson>) -> Bson {
    match value.into() {
        plain @ (Bson::Int64(_) | Bson::DateTime(_) | Bson::Null) => plain,
        value => bson!({ "$literal": value }),
    }
}

pub(crate) fn equal(one: Bson, other: Bson) -> Bson {
    bson!({ "$eq": [one, other] })
}

pub(crate) fn unequal(one: Bson, other: Bson) -> Bson {
    bson!({ "$ne": [one, other] })
}

/// That a field is there: none is null.
pub(crate) fn present(field: Bson) -> Bson {
    unequal(field, Bson::Null)
}

pub(crate) fn greater(one: Bson, other: Bson) -> Bson {
    bson!({ "$gt": [one, other] })
}

pub(crate) fn not(condition: Bson) -> Bson {
    bson!({ "$not": [condition] })
}

pub(crate) fn all(conditions: Vec<Bson>) -> Bson {
    bson!({ "$and": conditions })
}

pub(crate) fn any(conditions: Vec<Bson>) -> Bson {
    bson!({ "$or": conditions })
}

pub(crate) fn cond(condition: Bson, then: Bson, otherwise: Bson) -> Bson {
    bson!({ "$cond": [condition, then, otherwise] })
}

/// The first case that holds.
pub(crate) fn switch(cases: Vec<(Bson, Bson)>, default: Bson) -> Bson {
    if cases.is_empty() {
        return default;
    }
    let branch = |(case, then): (Bson, Bson)| bson!({ "case": case, "then": then });
    let branches: Vec<Bson> = cases.into_iter().map(branch).collect();
    bson!({ "$switch": { "branches": branches, "default": default } })
}

pub(crate) fn or_else(value: Bson, otherwise: Bson) -> Bson {
    bson!({ "$ifNull": [value, otherwise] })
}

pub(crate) fn plus(one: Bson, other: i64) -> Bson {
    bson!({ "$add": [one, Bson::Int64(other)] })
}

pub(crate) fn highest(one: Bson, other: Bson) -> Bson {
    bson!({ "$max": [one, other] })
}

pub(crate) fn lowest(one: Bson, other: Bson) -> Bson {
    bson!({ "$min": [one, other] })
}

pub(crate) fn is_in(item: Bson, list: Bson) -> Bson {
    bson!({ "$in": [item, list] })
}

pub(crate) fn joined(lists: Vec<Bson>) -> Bson {
    bson!({ "$concatArrays": lists })
}

/// A list without the items that are equal to one.
pub(crate) fn without(list: Bson, item: Bson) -> Bson {
    bson!({ "$filter": { "input": list, "as": "it", "cond": unequal("$$it".into(), item) } })
}

/// How many items a list has. As the only argument of several, since it may be a list itself.
pub(crate) fn length(list: Bson) -> Bson {
    bson!({ "$size": [list] })
}

/// A list with one more item, of which so many of the last are kept.
pub(crate) fn pushed(list: Bson, item: Bson, most: usize) -> Bson {
    let longer = joined(vec![list, Bson::Array(vec![item])]);
    bson!({ "$slice": [longer, -whole(most)] })
}

/// A list without the first item that is equal to one.
pub(crate) fn without_first(list: &Bson, item: Bson) -> Bson {
    let places = bson!({ "$range": [0, length(list.clone())] });
    let others = without(places, "$$at".into());
    let left = bson!({ "$map": {
        "input": others,
        "as": "place",
        "in": { "$arrayElemAt": [list.clone(), "$$place"] },
    } });
    let at = bson!({ "$indexOfArray": [list.clone(), item] });
    bson!({ "$let": { "vars": { "at": at }, "in": left } })
}

/// The time that a change is decided by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now(pub(crate) Option<Timestamp>);

impl Now {
    pub(crate) fn expression(self) -> Bson {
        self.0.map_or_else(|| "$$NOW".into(), |now| date(now).into())
    }

    pub(crate) fn millis(self) -> Bson {
        bson!({ "$toLong": self.expression() })
    }

    /// The instant so much after now, which no calendar ends before.
    pub(crate) fn plus(self, span: Bson) -> Bson {
        let end: DateTime = date(Timestamp::MAX);
        lowest(bson!({ "$add": [self.expression(), span] }), end.into())
    }

    pub(crate) fn plus_millis(self, span: Millis) -> Bson {
        self.plus(Bson::Int64(whole(span.get())))
    }
}
