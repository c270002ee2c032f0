//! The caller's own types as entities.

use std::str::FromStr;

use crate::error::Error;
use crate::key::{EntityId, EntityRef};

/// A type of the application whose values are entities.
///
/// Implement it once, and the tracker takes references to your values wherever it takes an
/// entity.
///
/// ```
/// use sync_tracker_core::{IntoEntity, Trackable};
///
/// struct Product {
///     id: u64,
///     title: String,
/// }
///
/// impl Trackable for Product {
///     const ENTITY_TYPE: &'static str = "product";
///     type Id = u64;
///
///     fn entity_id(&self) -> u64 {
///         self.id
///     }
/// }
///
/// let mug = Product { id: 42, title: "Mug".into() };
/// assert_eq!((&mug).into_entity()?.to_string(), "product/42");
/// # Ok::<(), sync_tracker_core::Error>(())
/// ```
pub trait Trackable {
    /// The entity type: 1 to 255 bytes without control characters.
    const ENTITY_TYPE: &'static str;

    /// What the application calls them by. It makes the entity id as text, and comes back from it.
    type Id: TryInto<EntityId, Error: Into<Error>> + FromStr;

    /// The id of this value.
    fn entity_id(&self) -> Self::Id;

    /// The entity with this id.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the type or the id breaks a limit.
    fn entity_with_id(id: Self::Id) -> Result<EntityRef, Error> {
        EntityRef::new(Self::ENTITY_TYPE, id)
    }
}

/// What names an entity: an [`EntityRef`], a reference to one, or a reference to a [`Trackable`].
pub trait IntoEntity {
    /// The entity.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if its type or id breaks a limit.
    fn into_entity(self) -> Result<EntityRef, Error>;
}

impl IntoEntity for EntityRef {
    fn into_entity(self) -> Result<EntityRef, Error> {
        Ok(self)
    }
}

impl IntoEntity for &EntityRef {
    fn into_entity(self) -> Result<EntityRef, Error> {
        Ok(self.clone())
    }
}

impl<T: Trackable> IntoEntity for &T {
    fn into_entity(self) -> Result<EntityRef, Error> {
        T::entity_with_id(self.entity_id())
    }
}

impl EntityRef {
    /// The id as the application's own type.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if this is an entity of another type, or
    /// if its id is none of the application's.
    pub fn id_of<T: Trackable>(&self) -> Result<T::Id, Error> {
        if self.entity_type.as_str() != T::ENTITY_TYPE {
            let problem = format!("is {:?}", self.entity_type.as_str());
            return Err(Error::invalid("entity type", problem, T::ENTITY_TYPE));
        }
        self.entity_id.parse()
    }
}

impl EntityId {
    /// The id as a type that text can be read as: an integer, a UUID.
    ///
    /// ```
    /// # use sync_tracker_core::EntityId;
    /// assert_eq!(EntityId::from(42).parse::<u64>()?, 42);
    /// assert!(EntityId::new("a")?.parse::<u64>().is_err());
    /// # Ok::<(), sync_tracker_core::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if it does not read as one.
    pub fn parse<I: FromStr>(&self) -> Result<I, Error> {
        self.as_str().parse().map_err(|_| {
            let kind = std::any::type_name::<I>();
            Error::invalid("entity id", format!("is {:?}", self.as_str()), kind)
        })
    }
}
