//! What a call of a small store means.

/// What a call means: its answer, and what the entry becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "what is to be written has to be written before the answer is given"]
pub struct Step<E, A> {
    /// What the caller is told.
    pub answer: A,
    /// What is stored in place of the entry; `None` leaves it as it is.
    pub write: Option<E>,
}

impl<E, A> Step<E, A> {
    /// Answers, and leaves the entry as it is.
    pub(crate) fn answer(answer: A) -> Self {
        Self { answer, write: None }
    }

    /// Answers, and writes.
    pub(crate) fn write(answer: A, entry: E) -> Self {
        Self { answer, write: Some(entry) }
    }
}
