//! Which store a URL means.

use sync_tracker_core::{Error, Result};

use crate::open::Opening;

/// Opens a store by its whole URL.
pub(crate) type Open = for<'url> fn(&'url str) -> Opening<'url>;

/// A kind of store: how its URLs begin, and what opens it if its feature is on.
pub(crate) struct Backend {
    pub(crate) schemes: &'static [&'static str],
    pub(crate) feature: &'static str,
    pub(crate) open: Option<Open>,
}

/// Finds what opens the store of a URL.
pub(crate) fn find(backends: &[Backend], url: &str) -> Result<Open> {
    let known =
        || backends.iter().flat_map(|it| it.schemes).copied().collect::<Vec<_>>().join(", ");
    let invalid = |problem: &str| Error::invalid("store URL", problem, known());
    let scheme = url.split_once(':').map(|(scheme, _)| scheme).filter(|it| is_scheme(it));
    let scheme = scheme.ok_or_else(|| invalid("has no scheme"))?;
    let backend = backends.iter().find(|it| it.schemes.contains(&scheme));
    let backend = backend.ok_or_else(|| invalid(&format!("begins with {scheme:?}")))?;
    backend.open.ok_or_else(|| {
        let problem = format!("begins with {scheme:?}, and that store is not built in");
        let limit = format!("the feature {:?} of sync-tracker", backend.feature);
        Error::invalid("store URL", problem, limit)
    })
}

/// By RFC 3986, so that no more of the URL is told than its first word.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sync_tracker_core::ErrorKind;

    /// All that is told of a URL, if there is one store, whose feature is off.
    fn refusal(url: &str) -> String {
        let (schemes, feature) = (&["papyrus", "scroll"], "scrolls");
        let error = find(&[Backend { schemes, feature, open: None }], url).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        format!("{error} {error:?}")
    }

    #[test]
    fn a_store_whose_feature_is_off_names_the_feature() {
        let refusal = refusal("scroll://ptah:hunter2@memphis");
        assert!(refusal.contains("the feature \"scrolls\" of sync-tracker"), "{refusal}");
        assert!(!refusal.contains("hunter2"), "{refusal}");
    }

    #[test]
    fn an_unknown_scheme_is_named_with_those_that_are_known() {
        let refusal = refusal("oracle://scott:hunter2@db/ledger");
        assert!(refusal.contains("begins with \"oracle\" (limit: papyrus, scroll)"), "{refusal}");
        assert!(!refusal.contains("hunter2"), "{refusal}");
    }

    #[test]
    fn what_has_no_scheme_is_not_repeated() {
        for url in ["", "hunter2", "/var/hunter2", "hunter2@db:5432", ":hunter2", "1hunter2:x"] {
            let refusal = refusal(url);
            assert!(refusal.contains("has no scheme (limit: papyrus, scroll)"), "{refusal}");
            assert!(!refusal.contains("hunter2"), "{refusal}");
        }
    }
}
