//! What a failure of the shop means for the ledger.

use sync_tracker::Failed;

use super::ShopError;

impl From<ShopError> for Failed {
    fn from(problem: ShopError) -> Self {
        let text = problem.to_string();
        match problem {
            ShopError::Throttled { retry_after } => {
                let failed = Self::throttled(text).with_code("429");
                match retry_after {
                    Some(wait) => failed.retry_after(wait),
                    None => failed,
                }
            }
            ShopError::Invalid { .. } => Self::permanent(text).with_code("422"),
            ShopError::NotFound => Self::permanent(text).with_code("404"),
            ShopError::Merged { .. } => Self::permanent(text).with_code("410"),
            ShopError::Taken { .. } => Self::permanent(text).with_code("409"),
            ShopError::Moved => Self::permanent(text).with_code("412"),
            ShopError::Rejected { status } => Self::permanent(text).with_code(status.to_string()),
            ShopError::Server { status } => Self::transient(text).with_code(status.to_string()),
            ShopError::NotSent { .. } => Self::transient(text),
            ShopError::NoAnswer { .. } => Self::unknown(text),
            ShopError::Setup { .. } => Self::permanent(text),
        }
    }
}
