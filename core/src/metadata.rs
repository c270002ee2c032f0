//! Free data of a record: a JSON object that every store keeps alike.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};

use crate::error::Error;
use crate::json::JsonLimits;

const FIELD: &str = "metadata";

const LIMITS: JsonLimits =
    JsonLimits { field: FIELD, bytes: Metadata::MAX_BYTES, depth: Metadata::MAX_DEPTH };

/// A JSON object kept with a record.
///
/// What goes in comes out, on every store: numbers keep their value (64-bit integers and finite
/// floats), `{}` and `[]` stay apart, and any key without U+0000 is allowed, `$`, `.` and the
/// empty one included. Numbers are normalised on the way in: an integral float within the range
/// of `i64` becomes an integer, `-0.0` becomes `0`.
///
/// Limits: 256 KiB as JSON text per change, 64 levels, no integer above `i64::MAX`.
///
/// ```
/// use serde_json::json;
/// use sync_tracker_core::Metadata;
///
/// let metadata = Metadata::new(json!({"batch": 7.0, "by": "import"}))?;
/// assert_eq!(metadata.get("batch"), Some(&json!(7)));
/// # Ok::<(), sync_tracker_core::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Metadata(Arc<Map<String, Value>>);

impl Metadata {
    /// The largest metadata that one change may carry, in bytes of JSON text.
    pub const MAX_BYTES: usize = 256 * 1024;
    /// The deepest nesting; the object itself is the first level.
    pub const MAX_DEPTH: usize = 64;

    /// Makes it from a JSON object.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if `value` is no object or breaks a
    /// limit.
    pub fn new(value: Value) -> Result<Self, Error> {
        let metadata = Self::accumulated(value)?;
        LIMITS.check_size(&*metadata.0)?;
        Ok(metadata)
    }

    /// Makes it from what a store holds: as [`new`](Self::new), but of any size, since merges
    /// may add up to more than one change can carry.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if `value` is no object or breaks a
    /// limit other than the size.
    pub fn accumulated(value: Value) -> Result<Self, Error> {
        let Value::Object(mut map) = value else {
            return Err(Error::invalid(FIELD, "is not a JSON object", "an object"));
        };
        LIMITS.normalise_object(&mut map, 1)?;
        Ok(Self(Arc::new(map)))
    }

    /// Makes it from any value that serialises to a JSON object.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if it does not, or breaks a limit.
    pub fn of(value: &impl Serialize) -> Result<Self, Error> {
        let value = serde_json::to_value(value)
            .map_err(|error| Error::invalid(FIELD, "is not JSON", "an object").caused_by(error))?;
        Self::new(value)
    }

    /// The value of a top-level key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it has every top-level key of `other`, with the same value.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        other.0.iter().all(|(key, value)| self.0.get(key) == Some(value))
    }

    /// The top-level keys and their values, ordered by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// The object itself.
    #[must_use]
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// Carries a merge out.
    pub(crate) fn merge(&mut self, merge: &MetadataMerge) {
        let MetadataMerge { set, remove } = merge;
        let map = Arc::make_mut(&mut self.0);
        for key in remove {
            map.remove(&**key);
        }
        for (key, value) in set.0.iter() {
            map.insert(key.clone(), value.clone());
        }
    }
}

/// A change of the top level of metadata: removes some keys, then sets others.
///
/// Shallow: the value of a key that is set is replaced whole. A key that is both removed and set
/// is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetadataMerge {
    set: Metadata,
    remove: Vec<Box<str>>,
}

impl MetadataMerge {
    /// Makes it from the keys to set and the keys to remove.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if a key to remove has U+0000, or if the
    /// keys to remove are more than 256 KiB together, written as JSON.
    pub fn new<K: Into<Box<str>>>(
        set: Metadata,
        remove: impl IntoIterator<Item = K>,
    ) -> Result<Self, Error> {
        let remove: Vec<Box<str>> = remove.into_iter().map(Into::into).collect();
        remove.iter().try_for_each(|key| LIMITS.check_text("key to remove", key))?;
        // Two quotes and a comma each, so that empty keys count as well.
        let size: usize = remove.iter().map(|key| key.len() + 3).sum();
        if size > Metadata::MAX_BYTES {
            let limit = format!("{} bytes", Metadata::MAX_BYTES);
            return Err(Error::invalid(FIELD, format!("removes {size} bytes of keys"), limit));
        }
        Ok(Self { set, remove })
    }

    /// The keys to set, with their values.
    #[must_use]
    pub fn set(&self) -> &Metadata {
        &self.set
    }

    /// The keys to remove.
    #[must_use]
    pub fn remove(&self) -> &[Box<str>] {
        &self.remove
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::accumulated(Value::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn nested(levels: usize) -> Value {
        (1..levels).fold(json!({}), |inner, _| json!({ "in": inner }))
    }

    #[test]
    fn integral_floats_become_integers_and_others_keep_their_bits() {
        let metadata = Metadata::new(json!({
            "a": 1.0, "b": -0.0, "c": 0.1, "d": 5e-324, "e": 1e300, "f": -9.223_372_036_854_776e18,
        }))
        .unwrap();
        assert_eq!(
            serde_json::to_string(&metadata).unwrap(),
            r#"{"a":1,"b":0,"c":0.1,"d":5e-324,"e":1e+300,"f":-9223372036854775808}"#
        );
    }

    #[test]
    fn limits_are_met_exactly() {
        assert!(Metadata::new(nested(64)).is_ok());
        assert!(Metadata::new(nested(65)).is_err());
        assert!(Metadata::new(json!({ "n": i64::MAX })).is_ok());
        assert!(Metadata::new(json!({ "n": i64::MAX.unsigned_abs() + 1 })).is_err());
        let text = |length: usize| json!({ "t": "x".repeat(length) });
        assert!(Metadata::new(text(Metadata::MAX_BYTES - 8)).is_ok());
        assert!(Metadata::new(text(Metadata::MAX_BYTES - 7)).is_err());
        assert!(Metadata::accumulated(text(Metadata::MAX_BYTES)).is_ok());
    }

    #[test]
    fn a_nul_is_refused_in_keys_and_in_text_at_any_depth() {
        assert!(Metadata::new(json!({ "a": [{ "b\0": 1 }] })).is_err());
        assert!(Metadata::new(json!({ "a": [{ "b": "\0" }] })).is_err());
        assert!(Metadata::new(json!({ "": 1, "$set": 2, "a.b": 3, "😀": 4 })).is_ok());
        assert!(Metadata::new(json!([])).is_err());
    }
}
