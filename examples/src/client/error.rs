//! How a request to the shop can fail, by what the caller may conclude.

use std::error::Error as _;
use std::time::Duration;

use thiserror::Error;

/// A request that did not succeed. Only after [`NoAnswer`](Self::NoAnswer) is it unknown whether
/// the shop has done what was asked; after every other failure it has not.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ShopError {
    /// 429: too many requests.
    #[error("the shop is throttling{}", wait(.retry_after))]
    Throttled {
        /// How long to wait, if the shop says.
        retry_after: Option<Duration>,
    },
    /// 422: this product will be refused until it is changed.
    #[error("the shop refuses {field:?}: {message:?}")]
    Invalid {
        /// The field that is wrong; empty if the shop does not say.
        field: String,
        /// What is wrong with it, in the shop's words.
        message: String,
    },
    /// 404: the shop has no product with this id.
    #[error("the shop has no such product")]
    NotFound,
    /// 410: this id was merged into another one.
    #[error("the product was merged into {into}")]
    Merged {
        /// The id that is used from now on.
        into: String,
    },
    /// 409: another product has this handle.
    #[error("the handle is that of {by}")]
    Taken {
        /// The id of that product.
        by: String,
        /// Whether it was made by this very request, sent before.
        same_key: bool,
    },
    /// 412: the product has another version than the one that the change was made on condition of.
    #[error("the product has another version by now")]
    Moved,
    /// Any other refusal: the request itself is wrong.
    #[error("the shop rejected the request with status {status}")]
    Rejected {
        /// The HTTP status, neither a success nor one of the 5xx.
        status: u16,
    },
    /// 5xx: the shop failed. This shop does nothing when it answers so; of others, make sure.
    #[error("the shop failed with status {status}")]
    Server {
        /// The HTTP status.
        status: u16,
    },
    /// The shop could not be reached, so it was asked for nothing.
    #[error("the shop cannot be reached: {reason}")]
    NotSent {
        /// What went wrong.
        reason: String,
    },
    /// The request was sent, or may have been, and no answer came that could be read.
    #[error("the shop did not answer: {reason}")]
    NoAnswer {
        /// What went wrong.
        reason: String,
    },
    /// There can be no client for this address.
    #[error("no client for the shop: {reason}")]
    Setup {
        /// What is wrong with it.
        reason: String,
    },
}

impl ShopError {
    /// What a failure below HTTP means. When in doubt, the request counts as sent.
    pub(super) fn from_transport(error: &reqwest::Error) -> Self {
        let reason = innermost(error);
        // A builder error is one of the request's own making: its address, or its body.
        if error.is_connect() || error.is_builder() {
            Self::NotSent { reason }
        } else {
            Self::NoAnswer { reason }
        }
    }
}

/// The last cause of an error, which is the one that says something, on one line.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    let mut text = error.to_string();
    while let Some(deeper) = cause {
        text = deeper.to_string();
        cause = deeper.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn wait(retry_after: &Option<Duration>) -> String {
    retry_after.map_or_else(String::new, |wait| format!(", wait {} s", wait.as_secs_f64()))
}
