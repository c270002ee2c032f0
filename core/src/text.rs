//! The one rule for text that identifies something, and the macro that makes types of it.

use crate::error::Error;

/// Checks `text` against the rule for identifying text: 1 to `max` bytes, no control character.
///
/// Nothing is trimmed, folded or normalised: such text is compared byte by byte.
pub(crate) fn check(field: &'static str, text: &str, max: usize) -> Result<(), Error> {
    if text.is_empty() {
        return Err(Error::invalid(field, "is empty", format!("1 to {max} bytes")));
    }
    if text.len() > max {
        let problem = format!("is {} bytes long", text.len());
        return Err(Error::invalid(field, problem, format!("1 to {max} bytes")));
    }
    if let Some((at, found)) = text.char_indices().find(|(_, c)| c.is_control()) {
        let problem = format!("has the control character {found:?} at byte {at}");
        return Err(Error::invalid(field, problem, "no control character"));
    }
    Ok(())
}

/// Declares a newtype over shared, checked text.
macro_rules! text_type {
    (
        $(#[$meta:meta])*
        $name:ident, field = $field:literal, max = $max:literal $(, check = $check:path)?
    ) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// The longest text that is accepted, in bytes of UTF-8.
            pub const MAX_BYTES: usize = $max;

            /// Makes one from text.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid), naming the field, the problem
            /// and the limit.
            pub fn new(text: impl AsRef<str>) -> Result<Self, $crate::Error> {
                let text = text.as_ref();
                $crate::text::check($field, text, Self::MAX_BYTES)?;
                $($check($field, text)?;)?
                Ok(Self(text.into()))
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.as_str()).finish()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = $crate::Error;

            fn try_from(text: &str) -> Result<Self, Self::Error> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::Error;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::new(text)
            }
        }

        impl TryFrom<&String> for $name {
            type Error = $crate::Error;

            fn try_from(text: &String) -> Result<Self, Self::Error> {
                Self::new(text)
            }
        }

        impl From<&$name> for $name {
            fn from(same: &Self) -> Self {
                same.clone()
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Self::new(text).map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use text_type;
