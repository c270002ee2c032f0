//! What the environment says about the size of tests.

use std::env;

/// A variable of the environment, if it is set.
pub(crate) fn variable<T>(name: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
    let text = env::var(name).ok()?;
    Some(read(&text).unwrap_or_else(|| panic!("{name} is {text:?}")))
}
