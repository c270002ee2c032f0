//! The text of every script, and its hash, by which the server knows it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use sync_tracker_core::{Change, Shape};

use crate::compose::{Composed, Param, Target, compose, import};
use crate::lua::{self, fill};

/// A script. Its text is made of constants.
#[derive(Debug)]
pub(crate) struct Script {
    text: String,
    hash: String,
}

impl Script {
    fn new(text: String) -> Self {
        let hash = redis::Script::new(&text).get_hash().to_owned();
        Self { text, hash }
    }

    fn of(pieces: &[&str]) -> Self {
        Self::new(fill(&pieces.concat()))
    }

    pub(crate) fn hash(&self) -> &str {
        &self.hash
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// The script of one shape.
pub(crate) struct Prepared {
    pub(crate) script: Script,
    pub(crate) params: Vec<Param>,
    pub(crate) may_create: bool,
}

/// The scripts of one store.
pub(crate) struct Scripts {
    composed: Mutex<HashMap<(Target, Shape), Arc<Prepared>>>,
    pub(crate) put: Script,
    pub(crate) find: Script,
    pub(crate) page: Script,
    pub(crate) merge: Script,
    pub(crate) statistics: Script,
    pub(crate) pause: Script,
    pub(crate) read: Script,
    pub(crate) swap: Script,
    pub(crate) rights: Script,
    pub(crate) inbox_begin: Script,
    pub(crate) inbox_settle: Script,
    pub(crate) checkpoint_save: Script,
    pub(crate) checkpoint_reset: Script,
    pub(crate) horizon_raise: Script,
}

impl Scripts {
    /// How many shapes are kept: rules have about a hundred, callers may have any.
    const MAX_SHAPES: usize = 512;

    pub(crate) fn new() -> Self {
        Self {
            composed: Mutex::default(),
            put: Script::new(import()),
            find: Script::of(&[lua::HEAD, lua::FIND]),
            page: Script::of(&[lua::HEAD, lua::CLOCK, lua::PAGE]),
            merge: Script::of(&[lua::HEAD, lua::CLOCK, lua::MERGE]),
            statistics: Script::of(&[lua::HEAD, lua::CLOCK, lua::STATISTICS]),
            pause: Script::of(&[lua::HEAD, lua::CLOCK, lua::PAUSE]),
            read: Script::of(&[lua::HEAD, lua::CLOCK, lua::READ]),
            swap: Script::of(&[lua::HEAD, lua::SWAP]),
            rights: Script::of(&[lua::HEAD, lua::RIGHTS]),
            inbox_begin: Script::of(&[lua::HEAD, lua::CLOCK, lua::INBOX, lua::INBOX_BEGIN]),
            inbox_settle: Script::of(&[lua::HEAD, lua::CLOCK, lua::INBOX, lua::INBOX_SETTLE]),
            checkpoint_save: Script::of(&[
                lua::HEAD,
                lua::CLOCK,
                lua::CHECKPOINT,
                lua::CHECKPOINT_SAVE,
            ]),
            checkpoint_reset: Script::of(&[lua::HEAD, lua::CHECKPOINT, lua::CHECKPOINT_RESET]),
            horizon_raise: Script::of(&[lua::HEAD, lua::HORIZON_RAISE]),
        }
    }

    /// The script of a change.
    pub(crate) fn of(&self, change: &Change, target: Target) -> Arc<Prepared> {
        let key = (target, change.shape());
        let mut composed = self.composed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = composed.get(&key) {
            return Arc::clone(known);
        }
        let Composed { text, params, may_create } = compose(change, target);
        let prepared = Arc::new(Prepared { script: Script::new(text), params, may_create });
        if composed.len() >= Self::MAX_SHAPES {
            composed.clear();
        }
        composed.insert(key, Arc::clone(&prepared));
        prepared
    }
}

impl fmt::Debug for Scripts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scripts").finish_non_exhaustive()
    }
}
