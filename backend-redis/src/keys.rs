//! What the store's keys are called.

use sync_tracker_core::{EntityRef, Error, Result, Source, Timestamp};

/// What the keys of one store begin with, checked.
#[derive(Clone, Debug)]
pub(crate) struct Prefix(String);

impl Prefix {
    const MAX_BYTES: usize = 64;

    pub(crate) fn new(prefix: &str) -> Result<Self> {
        let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
        if prefix.is_empty() || prefix.len() > Self::MAX_BYTES || !prefix.chars().all(is_name) {
            let limit = "1 to 64 of a-z, A-Z, 0-9, _, -, . and :";
            return Err(Error::invalid("key prefix", "does not fit", limit));
        }
        Ok(Self(prefix.into()))
    }

    /// The set of sources: with records of the application's, or only reserved ones.
    pub(crate) fn sources(&self, reserved: bool) -> String {
        format!("{}:{}", self.0, if reserved { "reserved-sources" } else { "sources" })
    }

    /// A key that never has anything.
    pub(crate) fn rights(&self) -> String {
        format!("{}:rights", self.0)
    }

    /// The keys of a source, which all are in one slot, that of their hash tag.
    pub(crate) fn of(&self, source: &Source) -> SourceKeys {
        let mut tag = String::with_capacity(source.as_str().len());
        for c in source.as_str().chars() {
            match c {
                '{' => tag.push_str("%7B"),
                '}' => tag.push_str("%7D"),
                '%' => tag.push_str("%25"),
                other => tag.push(other),
            }
        }
        SourceKeys(format!("{}:{{{tag}}}", self.0))
    }
}

/// The keys of one source.
#[derive(Clone, Debug)]
pub(crate) struct SourceKeys(String);

impl SourceKeys {
    /// The records by their fields, the holders of external ids, the pause.
    pub(crate) fn records(&self) -> String {
        format!("{}:r", self.0)
    }

    pub(crate) fn inbox(&self) -> String {
        format!("{}:inbox", self.0)
    }

    pub(crate) fn checkpoints(&self) -> String {
        format!("{}:checkpoints", self.0)
    }

    /// Members with a letter in front, all of the same score.
    pub(crate) fn index(&self) -> String {
        format!("{}:i", self.0)
    }

    /// What scripts call `KEYS`.
    pub(crate) fn all(&self) -> [String; 2] {
        [self.records(), self.index()]
    }
}

/// What a member of the index begins with: of the order of keys, a status and its digit, the leases
/// of a claim, the queue with the digit of a status and when it is due, former external ids.
pub(crate) const OF_KEYS: &[u8] = b"k";
pub(crate) const OF_STATUS: &[u8] = b"s";
pub(crate) const OF_CLAIM: &[u8] = b"c";
pub(crate) const OF_QUEUE: &[u8] = b"q";
pub(crate) const OF_FORMER: &[u8] = b"x";

/// An instant in the queue, so that bytes are ordered as instants.
pub(crate) fn due(at: Timestamp) -> [u8; 7] {
    const APART: i64 = 1 << 50;
    let [_, bytes @ ..] = (at.as_millis() + APART).to_be_bytes();
    bytes
}

/// What stands for the pause among the records of a source.
pub(crate) const PAUSE_FIELD: &[u8] = b"\x02pause";

/// The field of a record. No name has a control character, so fields are ordered as keys.
pub(crate) fn field(entity: &EntityRef) -> Vec<u8> {
    let EntityRef { entity_type, entity_id } = entity;
    [entity_type.as_str().as_bytes(), b"\0", entity_id.as_str().as_bytes()].concat()
}

/// Whose record a field is.
pub(crate) fn entity_of(field: &[u8]) -> Option<EntityRef> {
    let (entity_type, entity_id) = std::str::from_utf8(field).ok()?.split_once('\0')?;
    EntityRef::new(entity_type, entity_id).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_hash_tag_of_its_own() {
        let prefix = Prefix::new("app").unwrap();
        let name = |source: &str| prefix.of(&Source::new(source).unwrap()).records();
        assert_eq!(name("shop"), "app:{shop}:r");
        assert_eq!(name("{}"), "app:{%7B%7D}:r");
        assert_ne!(name("%7B"), name("{"));
    }

    #[test]
    fn a_prefix_has_no_hash_tag() {
        for wrong in ["", "a b", "{a}", "é", &"x".repeat(65)] {
            assert!(Prefix::new(wrong).is_err(), "{wrong}");
        }
    }
}
