//! What is kept of a failed push.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// How a push failed, and so what happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// It may work later: tried again by the retry schedule.
    Transient,
    /// The remote asks for patience: tried again, and no attempt is charged.
    Throttled,
    /// It will not work as it is: a dead letter at once.
    Permanent,
    /// The request was sent and its outcome is unknown. A create is in doubt from then on.
    Unknown,
}

/// What to note of a failure: the argument of a change.
///
/// Text of a failure comes from elsewhere and is never a reason to refuse a change. Control
/// characters other than line feed and tab become U+FFFD, and what is too long is cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureNote {
    pub(crate) class: FailureClass,
    pub(crate) code: Option<Box<str>>,
    pub(crate) message: Box<str>,
}

impl FailureNote {
    /// The longest code that is kept, in bytes.
    pub const MAX_CODE_BYTES: usize = 255;
    /// The longest message that is kept, in bytes.
    pub const MAX_MESSAGE_BYTES: usize = 4 * 1024;

    /// Notes a failure of `class` with a message.
    #[must_use]
    pub fn new(class: FailureClass, message: impl AsRef<str>) -> Self {
        let message = printable(message.as_ref(), Self::MAX_MESSAGE_BYTES);
        Self { class, code: None, message }
    }

    /// It may work later.
    #[must_use]
    pub fn transient(message: impl AsRef<str>) -> Self {
        Self::new(FailureClass::Transient, message)
    }

    /// The remote asks for patience.
    #[must_use]
    pub fn throttled(message: impl AsRef<str>) -> Self {
        Self::new(FailureClass::Throttled, message)
    }

    /// It will not work as it is.
    #[must_use]
    pub fn permanent(message: impl AsRef<str>) -> Self {
        Self::new(FailureClass::Permanent, message)
    }

    /// The request was sent and its outcome is unknown.
    #[must_use]
    pub fn unknown(message: impl AsRef<str>) -> Self {
        Self::new(FailureClass::Unknown, message)
    }

    /// Adds a short code such as `429` or `timeout`. An empty one is none.
    #[must_use]
    pub fn with_code(mut self, code: impl AsRef<str>) -> Self {
        let code = printable(code.as_ref(), Self::MAX_CODE_BYTES);
        self.code = (!code.is_empty()).then_some(code);
        self
    }

    /// How it failed.
    #[must_use]
    pub fn class(&self) -> FailureClass {
        self.class
    }

    /// The code, if one was given.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// Text for people: without control characters, and cut where it gets too long.
pub(crate) fn printable(text: &str, max: usize) -> Box<str> {
    let mut kept = String::with_capacity(text.len().min(max));
    for c in text.chars() {
        let c = if c.is_control() && c != '\n' && c != '\t' { '\u{FFFD}' } else { c };
        if kept.len() + c.len_utf8() > max {
            break;
        }
        kept.push(c);
    }
    kept.into()
}

/// The failure that a record keeps: the last one, and when the first of the row was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// How the last push failed.
    pub class: FailureClass,
    /// Its code, if the caller gave one.
    pub code: Option<Box<str>>,
    /// Its message.
    pub message: Box<str>,
    /// When the first failure since the last success was noted.
    pub first_at: Timestamp,
    /// When the last one was noted.
    pub last_at: Timestamp,
}

impl Failure {
    /// The failure to keep when `note` follows `before`.
    #[must_use]
    pub(crate) fn noted(before: Option<&Self>, note: &FailureNote, now: Timestamp) -> Self {
        let FailureNote { class, code, message } = note;
        Self {
            class: *class,
            code: code.clone(),
            message: message.clone(),
            first_at: before.map_or(now, |before| before.first_at),
            last_at: now,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_cut_on_a_character_boundary_and_made_printable() {
        let note = FailureNote::new(FailureClass::Transient, "é".repeat(3_000)).with_code("\0");
        assert_eq!(note.message().len(), FailureNote::MAX_MESSAGE_BYTES);
        assert_eq!(note.code(), Some("\u{FFFD}"));
        let note = FailureNote::new(FailureClass::Unknown, "a\nb\tc").with_code("");
        assert_eq!(note.message(), "a\nb\tc");
        assert_eq!(note.code(), None);
    }
}
