//! Which local changes of which entities are tracked, and in which sources.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::key::{EntityType, Source};

/// Which local changes are tracked, by entity type.
///
/// Readable from a configuration file by serde. What a type does not say is taken from the
/// defaults, and what the defaults do not say is: every change is tracked, in no source.
///
/// ```
/// use sync_tracker_core::{EntityType, TrackingRules};
///
/// let rules: TrackingRules = serde_json::from_str(
///     r#"{
///         "defaults": { "sources": ["erp"] },
///         "types": { "user": { "updated": false, "sources": ["crm", "mailing"] } }
///     }"#,
/// )?;
/// let user = rules.of(&EntityType::new("user")?);
/// assert!(user.created && !user.updated);
/// assert_eq!(user.sources.len(), 2);
/// let order = rules.of(&EntityType::new("order")?);
/// assert!(order.updated);
/// assert_eq!(order.sources.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrackingRules {
    /// What holds unless a type says otherwise.
    pub defaults: TypeRules,
    /// What holds for single types.
    pub types: BTreeMap<EntityType, TypeRules>,
}

/// What is said of one entity type, or of all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TypeRules {
    /// Whether creations are tracked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<bool>,
    /// Whether updates are tracked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated: Option<bool>,
    /// Whether deletions, and restorations, are tracked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<bool>,
    /// The sources that every entity belongs to, besides those that have a record of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sources: Option<BTreeSet<Source>>,
}

/// What holds for one entity type, all told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracked {
    /// Whether creations are tracked.
    pub created: bool,
    /// Whether updates are tracked.
    pub updated: bool,
    /// Whether deletions, and restorations, are tracked.
    pub deleted: bool,
    /// The sources that every entity belongs to.
    pub sources: BTreeSet<Source>,
}

impl TrackingRules {
    /// What holds for a type.
    #[must_use]
    pub fn of(&self, entity_type: &EntityType) -> Tracked {
        let (own, defaults) = (self.types.get(entity_type), &self.defaults);
        let flag = |of: fn(&TypeRules) -> Option<bool>| {
            own.and_then(of).or_else(|| of(defaults)).unwrap_or(true)
        };
        let sources = own.and_then(|own| own.sources.as_ref()).or(defaults.sources.as_ref());
        Tracked {
            created: flag(|rules| rules.created),
            updated: flag(|rules| rules.updated),
            deleted: flag(|rules| rules.deleted),
            sources: sources.cloned().unwrap_or_default(),
        }
    }
}
