//! The few keys, ids and contents that all sequences are about, so that they meet.

use serde_json::{Value, json};
use sync_tracker_core::{EntityType, ExternalId, Fingerprint, Key, Source};

#[derive(Debug)]
pub(super) struct Universe {
    pub(super) sources: Vec<Source>,
    pub(super) types: Vec<EntityType>,
    pub(super) keys: Vec<Key>,
    pub(super) external_ids: Vec<ExternalId>,
    pub(super) fingerprints: Vec<Fingerprint>,
}

impl Universe {
    /// Names that a collation would order, fold or trim otherwise than their bytes are.
    pub(super) fn new() -> Self {
        let sources = ["shop", "Shop 2"].map(|name| Source::new(name).unwrap());
        let types = ["product", "order"].map(|name| EntityType::new(name).unwrap());
        let keys = [
            ("shop", "product", "a"),
            ("shop", "product", "B"),
            ("shop", "product", "é"),
            ("shop", "order", "a"),
            ("Shop 2", "product", "a"),
            ("Shop 2", "product", "B"),
        ];
        let external_ids = ["id", "ID", "id ", "7", "e\u{301}"];
        let fingerprints = ["sha256:a", "sha256:A", "md5:a", "sha256:b", "sha256:c"];
        Self {
            sources: sources.into(),
            types: types.into(),
            keys: keys.map(|(source, of, id)| Key::new(source, of, id).unwrap()).into(),
            external_ids: external_ids.map(|id| ExternalId::new(id).unwrap()).into(),
            fingerprints: fingerprints.map(|hash| Fingerprint::new(hash).unwrap()).into(),
        }
    }
}

/// Keys of metadata that mean something to one server or another.
pub(super) const METADATA_KEYS: [&str; 12] =
    ["a", "", "$set", "a.b", "A", "$", "__proto__", "0", "é", "😀", "a'\"\\", "\u{1f}\n"];

/// Values of metadata that lose something on the way through one server or another.
pub(super) fn metadata_values() -> Vec<Value> {
    vec![
        json!(1),
        json!({}),
        json!([]),
        json!(null),
        json!("$attempts"),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(0.1),
        json!(5e-324),
        json!(1e300),
        json!(-0.0),
        json!(9_007_199_254_740_993_i64),
        json!("\u{1}'\"\\\u{7f}\u{2028}"),
        json!({ "$set": { "a.b": [1, {}, [], null, false] }, "": "" }),
        json!("1"),
        json!(true),
    ]
}
