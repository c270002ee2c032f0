//! One push: what is sent to the shop, and what the worker is told of it.

use sync_tracker::{
    Done, EntityRef, Error, Failed, Fingerprint, Fingerprinter, Job, Operation, PushResult,
    RemoteVersion, Tracker,
};
use uuid::Uuid;

use sync_tracker_examples::catalog::Product;
use sync_tracker_examples::client::{Remote, ShopClient, ShopError};

/// The type of products in the ledger.
pub(crate) const ENTITY_TYPE: &str = "product";

/// The entity that a product is in the ledger: its handle, or, if that is longer than an entity id
/// may be, the beginning of it and a hash of it all.
pub(crate) fn entity(handle: &str) -> Result<EntityRef, Error> {
    const LONGEST: usize = 255;
    const KEPT: usize = 200;
    let plain = handle.len() <= LONGEST && !handle.contains(char::is_control);
    if plain {
        return EntityRef::new(ENTITY_TYPE, handle);
    }
    let mut kept = String::new();
    for c in handle.chars().filter(|c| !c.is_control()) {
        if kept.len() + c.len_utf8() > KEPT {
            break;
        }
        kept.push(c);
    }
    let hash = Uuid::new_v5(&Uuid::NAMESPACE_OID, handle.as_bytes());
    EntityRef::new(ENTITY_TYPE, format!("{kept}~{}", hash.simple()))
}

/// What tells one content of a product from another.
pub(crate) fn fingerprint(product: &Product) -> Result<Fingerprint, Error> {
    Fingerprinter::new().of(product)
}

/// Pushes products to a shop.
#[derive(Clone, Debug)]
pub(crate) struct Pusher {
    client: ShopClient,
    look_before_create: bool,
}

impl Pusher {
    /// Pushes by this client. If an earlier create may have worked, it looks before it creates,
    /// or it does not.
    pub(crate) fn new(client: ShopClient, look_before_create: bool) -> Self {
        Self { client, look_before_create }
    }

    /// Carries one push out.
    pub(crate) async fn push(
        &self,
        tracker: &Tracker,
        job: &Job,
        product: Option<&Product>,
    ) -> PushResult {
        let id = job.external_id().map(|id| id.as_str());
        let answer = match (job.operation(), product, id) {
            (Operation::Create, Some(product), _) => self.create(tracker, job, product).await?,
            (Operation::Update, Some(product), Some(id)) => {
                self.client.update(id, product).await.map(Some)
            }
            (Operation::Delete, _, Some(id)) => match self.client.delete(id).await {
                Ok(()) | Err(ShopError::NotFound) => Ok(None),
                Err(problem) => Err(problem),
            },
            (Operation::Nothing, ..) => Ok(None),
            (operation, ..) => {
                let problem = format!("no product, or no id of it, to {operation}");
                return Err(Failed::permanent(problem));
            }
        };
        let done = match product {
            Some(product) => Done::new().fingerprint(fingerprint(product)?),
            None => Done::new(),
        };
        match answer.map_err(Failed::from)? {
            Some(Remote { id, version }) => {
                let done = done.external_id(id)?;
                Ok(match i64::try_from(version) {
                    Ok(version) => done.remote_version(RemoteVersion::Sequence(version)),
                    Err(_) => done,
                })
            }
            None => Ok(done),
        }
    }

    /// Creates the product, unless an earlier create that was in doubt turns out to have worked.
    /// The outer error is the ledger's.
    async fn create(
        &self,
        tracker: &Tracker,
        job: &Job,
        product: &Product,
    ) -> Result<Result<Option<Remote>, ShopError>, Error> {
        if job.in_doubt() && self.look_before_create {
            match self.client.find(&product.handle).await {
                Ok(Some(Remote { id, .. })) => {
                    // Known from now on, whatever becomes of the update.
                    let bind = tracker.bind(job.entity(), &job.record().key.source, id.as_str());
                    let _ = bind.only_existing().await?;
                    return Ok(self.client.update(&id, product).await.map(Some));
                }
                Ok(None) => {}
                // Only the look was not answered: it made nothing that could be there twice.
                Err(ShopError::NoAnswer { reason }) => {
                    return Ok(Err(ShopError::NotSent { reason }));
                }
                Err(problem) => return Ok(Err(problem)),
            }
        }
        Ok(self.client.create(product).await.map(Some))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_handle_names_an_entity_and_no_two_the_same() {
        let long = "長".repeat(200);
        let longer = format!("{long}x");
        let ids = ["mug", "MUG", "a\tb", "ab", &long, &longer];
        let entities: Vec<_> = ids.iter().map(|id| entity(id).unwrap()).collect();
        for (at, one) in entities.iter().enumerate() {
            assert!(entities[at + 1..].iter().all(|other| other != one));
        }
        assert_eq!(entities[0].entity_id.as_str(), "mug");
    }
}
