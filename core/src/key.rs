//! What a record is about: the names of sources and entities, and the key made of them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::text::text_type;

text_type! {
    /// One instance of an external system: `shopify`, `shopify-eu`.
    ///
    /// 1 to 255 bytes of UTF-8 without control characters, compared byte by byte.
    ///
    /// ```
    /// # use sync_tracker_core::Source;
    /// let source = Source::new("shopify-eu")?;
    /// assert_eq!(source.as_str(), "shopify-eu");
    /// assert!(Source::new("").unwrap_err().to_string().contains("source"));
    /// # Ok::<(), sync_tracker_core::Error>(())
    /// ```
    Source, field = "source", max = 255
}

text_type! {
    /// The kind of a local entity: `product`, `customer`.
    ///
    /// 1 to 255 bytes of UTF-8 without control characters, compared byte by byte. Types that begin
    /// with `sync-tracker/` are [reserved](Self::is_reserved).
    EntityType, field = "entity type", max = 255
}

text_type! {
    /// The id of a local entity within its type, as text.
    ///
    /// 1 to 255 bytes of UTF-8 without control characters, compared byte by byte. Made from text
    /// from any integer, or from a UUID.
    ///
    /// ```
    /// # use sync_tracker_core::EntityId;
    /// assert_eq!(EntityId::from(42).as_str(), "42");
    /// assert_ne!(EntityId::new("a")?, EntityId::new("A")?);
    /// # Ok::<(), sync_tracker_core::Error>(())
    /// ```
    EntityId, field = "entity id", max = 255
}

text_type! {
    /// The id of an entity in one source.
    ///
    /// 1 to 512 bytes of UTF-8 without control characters, byte-exact: nothing is trimmed or
    /// case-folded. `"0"` is an id, the empty text is none.
    ///
    /// ```
    /// # use sync_tracker_core::ExternalId;
    /// assert!(ExternalId::new("0").is_ok());
    /// assert!(ExternalId::new("").is_err());
    /// # Ok::<(), sync_tracker_core::Error>(())
    /// ```
    ExternalId, field = "external id", max = 512
}

impl EntityType {
    /// Whether the type is kept for the ledger's own use: it begins with `sync-tracker/`.
    ///
    /// Under such types a store that keeps nothing but records keeps what is none: pauses, an
    /// inbox, checkpoints. They are not claimed, not counted, and [`Filter`](crate::Filter)s pass
    /// them only if they ask for the type.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.as_str().starts_with("sync-tracker/")
    }
}

macro_rules! ids_from {
    ($($kind:ty),*) => {$(
        impl From<$kind> for EntityId {
            fn from(id: $kind) -> Self {
                Self(id.to_string().into())
            }
        }

        impl From<$kind> for ExternalId {
            fn from(id: $kind) -> Self {
                Self(id.to_string().into())
            }
        }
    )*};
}
ids_from!(i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize, uuid::Uuid);

/// A local entity: its type and its id.
///
/// Ordered by type, then by id, both by bytes.
///
/// ```
/// # use sync_tracker_core::EntityRef;
/// let product = EntityRef::new("product", 42)?;
/// assert_eq!(product.to_string(), "product/42");
/// # Ok::<(), sync_tracker_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EntityRef {
    /// The type.
    pub entity_type: EntityType,
    /// The id within the type.
    pub entity_id: EntityId,
}

impl EntityRef {
    /// Names an entity by anything that makes a type and an id: text, integers, the newtypes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if either is empty, too long or has a
    /// control character.
    pub fn new<T, I>(entity_type: T, entity_id: I) -> Result<Self, Error>
    where
        T: TryInto<EntityType, Error: Into<Error>>,
        I: TryInto<EntityId, Error: Into<Error>>,
    {
        Ok(Self {
            entity_type: entity_type.try_into().map_err(Into::into)?,
            entity_id: entity_id.try_into().map_err(Into::into)?,
        })
    }

    /// The key of this entity's record in `source`.
    #[must_use]
    pub fn in_source(&self, source: &Source) -> Key {
        Key { source: source.clone(), entity: self.clone() }
    }
}

impl From<&Self> for EntityRef {
    fn from(same: &Self) -> Self {
        same.clone()
    }
}

impl fmt::Display for EntityRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.entity_type, self.entity_id)
    }
}

/// What a record is kept for: one entity in one source.
///
/// Ordered by source, then entity type, then entity id, each by bytes: the order of every page.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// The source.
    pub source: Source,
    /// The entity.
    pub entity: EntityRef,
}

impl Key {
    /// Makes a key from its three parts.
    ///
    /// ```
    /// # use sync_tracker_core::Key;
    /// let key = Key::new("shopify", "product", 42)?;
    /// assert_eq!(key.to_string(), "shopify:product/42");
    /// # Ok::<(), sync_tracker_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid), naming the part.
    pub fn new<S, T, I>(source: S, entity_type: T, entity_id: I) -> Result<Self, Error>
    where
        S: TryInto<Source, Error: Into<Error>>,
        T: TryInto<EntityType, Error: Into<Error>>,
        I: TryInto<EntityId, Error: Into<Error>>,
    {
        Ok(Self {
            source: source.try_into().map_err(Into::into)?,
            entity: EntityRef::new(entity_type, entity_id)?,
        })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.source, self.entity)
    }
}
