//! JSON that every store keeps alike.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Number, Value};

use crate::error::Error;

/// A small JSON value that is stored: the outcome of a message, where a pull got to.
///
/// What goes in comes out, on every store, as with [`Metadata`](crate::Metadata): numbers keep
/// their value and are normalised on the way in (an integral float within the range of `i64`
/// becomes an integer), text is without U+0000.
///
/// Limits: 64 KiB as JSON text, 32 levels, no integer above `i64::MAX`. The default is `null`.
///
/// ```
/// use serde_json::json;
/// use sync_tracker_core::JsonValue;
///
/// let value = JsonValue::new(json!({ "page": 7.0 }))?;
/// assert_eq!(value.as_value(), &json!({ "page": 7 }));
/// assert_eq!(JsonValue::of(&"cursor-9")?.to::<String>()?, "cursor-9");
/// # Ok::<(), sync_tracker_core::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct JsonValue(Arc<Value>);

impl JsonValue {
    /// The largest value, in bytes of JSON text.
    pub const MAX_BYTES: usize = 64 * 1024;
    /// The deepest nesting; an object or array that stands alone is one level.
    pub const MAX_DEPTH: usize = 32;

    /// Makes one from JSON.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if it breaks a limit.
    pub fn new(mut value: Value) -> Result<Self, Error> {
        const LIMITS: JsonLimits = JsonLimits {
            field: "JSON value",
            bytes: JsonValue::MAX_BYTES,
            depth: JsonValue::MAX_DEPTH,
        };
        LIMITS.normalise(&mut value, 1)?;
        LIMITS.check_size(&value)?;
        Ok(Self(Arc::new(value)))
    }

    /// Makes one from any value that serialises to JSON.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if it does not, or breaks a limit.
    pub fn of(value: &(impl Serialize + ?Sized)) -> Result<Self, Error> {
        let value = serde_json::to_value(value);
        Self::new(value.map_err(|error| {
            Error::invalid("JSON value", "is not JSON", "JSON").caused_by(error)
        })?)
    }

    /// The JSON.
    #[must_use]
    pub fn as_value(&self) -> &Value {
        &self.0
    }

    /// Reads it as a value of another type.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) if it is none.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, Error> {
        T::deserialize(&*self.0).map_err(|cause| {
            let message = "a stored JSON value is not of the type that is asked for";
            Error::new(crate::ErrorKind::Corrupt, message).caused_by(cause)
        })
    }
}

impl TryFrom<Value> for JsonValue {
    type Error = Error;

    fn try_from(value: Value) -> Result<Self, Error> {
        Self::new(value)
    }
}

impl fmt::Debug for JsonValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Serialize for JsonValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for JsonValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Value::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// What JSON of one kind may be, and the one function that normalises it.
pub(crate) struct JsonLimits {
    /// How errors call it.
    pub(crate) field: &'static str,
    pub(crate) bytes: usize,
    pub(crate) depth: usize,
}

impl JsonLimits {
    pub(crate) fn check_size(&self, value: &impl Serialize) -> Result<(), Error> {
        let text = serde_json::to_string(value)
            .map_err(|error| Error::invalid(self.field, "is not JSON", "JSON").caused_by(error))?;
        if text.len() > self.bytes {
            let problem = format!("is {} bytes of JSON", text.len());
            return Err(Error::invalid(self.field, problem, format!("{} bytes", self.bytes)));
        }
        Ok(())
    }

    pub(crate) fn normalise(&self, value: &mut Value, depth: usize) -> Result<(), Error> {
        match value {
            Value::Null | Value::Bool(_) => Ok(()),
            Value::Number(number) => self.normalise_number(number),
            Value::String(text) => self.check_text("text", text),
            Value::Array(items) => {
                self.check_depth(depth)?;
                items.iter_mut().try_for_each(|item| self.normalise(item, depth + 1))
            }
            Value::Object(map) => self.normalise_object(map, depth),
        }
    }

    pub(crate) fn normalise_object(
        &self,
        map: &mut Map<String, Value>,
        depth: usize,
    ) -> Result<(), Error> {
        self.check_depth(depth)?;
        for (key, value) in map.iter_mut() {
            self.check_text("key", key)?;
            self.normalise(value, depth + 1)?;
        }
        Ok(())
    }

    fn normalise_number(&self, number: &mut Number) -> Result<(), Error> {
        if number.is_i64() {
            return Ok(());
        }
        if number.is_u64() {
            let problem = format!("has the integer {number}");
            return Err(Error::invalid(self.field, problem, "at most 2^63 - 1"));
        }
        let Some(float) = number.as_f64().filter(|float| float.is_finite()) else {
            let problem = format!("has the number {number}");
            return Err(Error::invalid(self.field, problem, "a finite float"));
        };
        if let Some(integer) = integral(float) {
            *number = Number::from(integer);
        }
        Ok(())
    }

    pub(crate) fn check_text(&self, what: &str, text: &str) -> Result<(), Error> {
        if text.contains('\0') {
            let problem = format!("has U+0000 in a {what}");
            return Err(Error::invalid(self.field, problem, "no U+0000"));
        }
        Ok(())
    }

    fn check_depth(&self, depth: usize) -> Result<(), Error> {
        if depth > self.depth {
            let limit = format!("{} levels", self.depth);
            return Err(Error::invalid(self.field, "is nested too deep", limit));
        }
        Ok(())
    }
}

/// The integer that `float` stands for, if it is one within the range of `i64`.
#[allow(clippy::cast_possible_truncation)] // the range is checked first
fn integral(float: f64) -> Option<i64> {
    const END: f64 = -(i64::MIN as f64);
    (float.fract() == 0.0 && (-END..END).contains(&float)).then_some(float as i64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn limits_are_met_exactly() {
        let nested = |levels: usize| (1..levels).fold(json!([]), |inner, _| json!([inner]));
        assert!(JsonValue::new(nested(32)).is_ok());
        assert!(JsonValue::new(nested(33)).is_err());
        let text = |length: usize| json!("x".repeat(length));
        assert!(JsonValue::new(text(JsonValue::MAX_BYTES - 2)).is_ok());
        assert!(JsonValue::new(text(JsonValue::MAX_BYTES - 1)).is_err());
        assert!(JsonValue::new(json!("a\0")).is_err());
        assert!(JsonValue::new(json!(u64::MAX)).is_err());
    }
}
