//! Policies: who wins a conflict, decided on contents that the caller supplies.
//!
//! A policy is a pure function, and a decision of it is carried out by a local write and
//! [`Tracker::resolve`](crate::Tracker::resolve).
//!
//! ```
//! use serde_json::json;
//! use sync_tracker_core::policy::{Contents, Decision, FieldByField, Policy};
//!
//! let base = json!({ "name": "Ada", "city": "London", "tags": [] });
//! let contents = Contents {
//!     base: Some(&base),
//!     local: Some(&json!({ "name": "Ada L.", "city": "London", "tags": [] })),
//!     remote: Some(&json!({ "name": "Ada", "city": "Paris", "tags": [] })),
//! };
//! let merged = json!({ "name": "Ada L.", "city": "Paris", "tags": [] });
//! assert_eq!(FieldByField.decide(contents), Decision::Merged(merged));
//! ```

use serde_json::{Map, Value};

use crate::rules::Winner;
use crate::time::Timestamp;

/// What there is on both sides, and what both last agreed on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contents<'a> {
    /// What both sides last agreed on, if it is known.
    pub base: Option<&'a Value>,
    /// Ours; `None` if the entity is deleted here.
    pub local: Option<&'a Value>,
    /// Theirs; `None` if the object is deleted there.
    pub remote: Option<&'a Value>,
}

/// What a policy decides.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// Ours holds.
    Local,
    /// Theirs holds: take it over.
    Remote,
    /// This holds: write it locally, and it is pushed.
    Merged(Value),
    /// A person has to decide: the conflict stays open.
    Manual,
}

impl Decision {
    /// The winner to [resolve](crate::Tracker::resolve) the conflict with, after the local write;
    /// `None` if the conflict stays open.
    #[must_use]
    pub fn winner(&self) -> Option<Winner> {
        match self {
            Self::Local | Self::Merged(_) => Some(Winner::Local),
            Self::Remote => Some(Winner::Remote),
            Self::Manual => None,
        }
    }
}

/// Decides conflicts. Any function of [`Contents`] is one.
pub trait Policy {
    /// Decides.
    fn decide(&self, contents: Contents<'_>) -> Decision;
}

impl<F: Fn(Contents<'_>) -> Decision> Policy for F {
    fn decide(&self, contents: Contents<'_>) -> Decision {
        self(contents)
    }
}

/// Ours holds, always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocalWins;

/// Theirs holds, always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RemoteWins;

/// A person decides, always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manual;

/// The side that changed last holds; at a tie a person decides.
///
/// The caller declares the two instants comparable. This **trusts both clocks**: where one of them
/// is wrong, the older edit may hold, and the newer one is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewestWins {
    /// When our side changed.
    pub local: Timestamp,
    /// When their side changed.
    pub remote: Timestamp,
}

/// What only one side changed since the base is taken from that side, field by field, down into
/// objects; what both changed to different values is for a person, and so is everything without a
/// base and every deletion. Arrays are values: they are not merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FieldByField;

impl Policy for LocalWins {
    fn decide(&self, _: Contents<'_>) -> Decision {
        Decision::Local
    }
}

impl Policy for RemoteWins {
    fn decide(&self, _: Contents<'_>) -> Decision {
        Decision::Remote
    }
}

impl Policy for Manual {
    fn decide(&self, _: Contents<'_>) -> Decision {
        Decision::Manual
    }
}

impl Policy for NewestWins {
    fn decide(&self, _: Contents<'_>) -> Decision {
        match self.local.cmp(&self.remote) {
            std::cmp::Ordering::Greater => Decision::Local,
            std::cmp::Ordering::Less => Decision::Remote,
            std::cmp::Ordering::Equal => Decision::Manual,
        }
    }
}

impl Policy for FieldByField {
    fn decide(&self, contents: Contents<'_>) -> Decision {
        let Contents { base, local: Some(local), remote: Some(remote) } = contents else {
            return Decision::Manual;
        };
        if local == remote {
            return Decision::Remote;
        }
        let Some(base) = base else { return Decision::Manual };
        match merged(Some(base), Some(local), Some(remote)) {
            Ok(Some(whole)) if whole == *remote => Decision::Remote,
            Ok(Some(whole)) if whole == *local => Decision::Local,
            Ok(Some(whole)) => Decision::Merged(whole),
            Ok(None) | Err(BothChanged) => Decision::Manual,
        }
    }
}

/// Both sides changed a value, each to another one.
struct BothChanged;

/// One value merged; absent values are fields that are not there.
fn merged(
    base: Option<&Value>,
    local: Option<&Value>,
    remote: Option<&Value>,
) -> Result<Option<Value>, BothChanged> {
    if local == remote || remote == base {
        return Ok(local.cloned());
    }
    if local == base {
        return Ok(remote.cloned());
    }
    let (Some(Value::Object(base)), Some(Value::Object(local)), Some(Value::Object(remote))) =
        (base, local, remote)
    else {
        return Err(BothChanged);
    };
    let mut whole = Map::new();
    for name in local.keys().chain(remote.keys()) {
        if let Some(value) = merged(base.get(name), local.get(name), remote.get(name))? {
            whole.insert(name.clone(), value);
        }
    }
    Ok(Some(Value::Object(whole)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn by_field(base: &Value, local: &Value, remote: &Value) -> Decision {
        let (base, local, remote) = (Some(base), Some(local), Some(remote));
        FieldByField.decide(Contents { base, local, remote })
    }

    #[test]
    fn fields_that_one_side_changed_are_merged() {
        let base = json!({ "a": 1, "b": 1, "c": { "d": 1, "e": 1 }, "f": [1], "gone": 1 });
        let local = json!({ "a": 2, "b": 1, "c": { "d": 2, "e": 1 }, "f": [1], "new": 5 });
        let remote = json!({ "a": 1, "b": 3, "c": { "d": 1, "e": 3 }, "f": [3], "gone": 1 });
        let merged = json!({ "a": 2, "b": 3, "c": { "d": 2, "e": 3 }, "f": [3], "new": 5 });
        assert_eq!(by_field(&base, &local, &remote), Decision::Merged(merged));
    }

    #[test]
    fn a_field_that_both_changed_is_for_a_person_unless_to_the_same() {
        let base = json!({ "a": 1, "b": [] });
        let local = json!({ "a": 2, "b": [1] });
        assert_eq!(by_field(&base, &local, &json!({ "a": 3, "b": [] })), Decision::Manual);
        assert_eq!(by_field(&base, &local, &json!({ "b": [] })), Decision::Manual);
        assert_eq!(by_field(&base, &local, &json!({ "a": 2, "b": [] })), Decision::Local);
        assert_eq!(by_field(&base, &local, &json!({ "a": 2, "b": [2] })), Decision::Manual);
        assert_eq!(by_field(&base, &local, &local), Decision::Remote);
    }

    #[test]
    fn without_a_base_or_a_side_a_person_decides() {
        let (one, two) = (json!({ "a": 1 }), json!({ "a": 2 }));
        let sides = [
            (None, Some(&one), Some(&two)),
            (Some(&one), None, Some(&two)),
            (Some(&one), Some(&two), None),
            (Some(&one), None, None),
        ];
        for (base, local, remote) in sides {
            assert_eq!(FieldByField.decide(Contents { base, local, remote }), Decision::Manual);
        }
    }

    #[test]
    fn the_newest_wins_and_a_tie_is_for_a_person() {
        let [early, late] = [1, 2].map(|millis| Timestamp::from_millis(millis).unwrap());
        let contents = Contents { base: None, local: None, remote: None };
        let newest = |local, remote| NewestWins { local, remote }.decide(contents);
        assert_eq!(newest(late, early).winner(), Some(Winner::Local));
        assert_eq!(newest(early, late).winner(), Some(Winner::Remote));
        assert_eq!(newest(late, late).winner(), None);
    }

    #[test]
    fn a_function_is_a_policy() {
        let longer = |contents: Contents<'_>| {
            let length = |side: Option<&Value>| side.map_or(0, |side| side.to_string().len());
            if length(contents.local) > length(contents.remote) {
                Decision::Local
            } else {
                Decision::Remote
            }
        };
        let (short, long) = (json!("a"), json!("abc"));
        let contents = Contents { base: None, local: Some(&short), remote: Some(&long) };
        assert_eq!(longer.decide(contents), Decision::Remote);
        assert_eq!(LocalWins.decide(contents).winner(), Some(Winner::Local));
        assert_eq!(RemoteWins.decide(contents), Decision::Remote);
        assert_eq!(Manual.decide(contents).winner(), None);
    }
}
