//! The records of the store and of its own commands.

use mongodb::Database;
use mongodb::bson::{Bson, Document, doc};
use sync_tracker_benches::Failure;
use sync_tracker_benches::ours::fill as by_changes;
use sync_tracker_benches::population::{DUE_EVERY, Population};
use sync_tracker_core::{ChangeId, SyncStore};
use sync_tracker_mongo::MongoStore;

const COLLECTION: &str = "records";

/// How many records one command has when a collection is filled.
const FILLED: usize = 1_000;

/// Fills a database. The store makes a few records, each by the changes that make it; the others are
/// copies of these documents with names of their own: to change 10^6 records would take long.
pub(crate) async fn fill(
    store: &MongoStore,
    database: &Database,
    population: &Population,
) -> Result<(), Failure> {
    let few = Population::new(2, population.recent_changes())?;
    by_changes(store, &few).await?;
    let records = database.collection::<Document>(COLLECTION);
    let mut models = Vec::new();
    for number in [0, 1] {
        let id = few.key(number)?.entity.entity_id.to_string();
        let found = records.find_one(doc! { "_id.entity_id": id }).await?;
        models.push(Model { number, document: found.ok_or("a record that is not there")? });
    }
    for first in (2..population.size()).step_by(FILLED) {
        let numbers = first..population.size().min(first + FILLED);
        let copies = numbers.map(|number| {
            let due = population.is_due(number);
            models[usize::from(!due)].copy(population, number)
        });
        let copies: Vec<_> = copies.collect::<Result<_, _>>()?;
        records.insert_many(copies).ordered(false).await?;
    }
    for number in [0, 1, DUE_EVERY, population.size() - 1] {
        check(store, population, number).await?;
    }
    Ok(())
}

/// A record to make others of.
struct Model {
    number: usize,
    document: Document,
}

impl Model {
    fn copy(&self, population: &Population, number: usize) -> Result<Document, Failure> {
        let texts = |number| {
            let id = population.key(number)?.entity.entity_id.to_string();
            let metadata = population.metadata(number)["batch"].to_string();
            Ok::<_, Failure>([id, population.external_id(number)?.to_string(), metadata])
        };
        let (from, to) = (texts(self.number)?, texts(number)?);
        let mut copy = self.document.clone();
        for (_, value) in copy.iter_mut() {
            rename(value, &from, &to);
        }
        // Each has other ids, as those that changes have.
        if let Ok(ids) = copy.get_array_mut("recent_changes") {
            let new = || Bson::Int64(ChangeId::random().to_bits().cast_signed());
            ids.iter_mut().for_each(|id| *id = new());
        }
        Ok(copy)
    }
}

fn rename(value: &mut Bson, from: &[String; 3], to: &[String; 3]) {
    match value {
        Bson::String(text) => {
            if let Some(place) = from.iter().position(|it| it == text) {
                text.clone_from(&to[place]);
            }
        }
        Bson::Array(values) => values.iter_mut().for_each(|it| rename(it, from, to)),
        Bson::Document(values) => values.iter_mut().for_each(|(_, it)| rename(it, from, to)),
        _ => {}
    }
}

/// Fails unless a record is found by both of its names, and has what the changes would have made.
async fn check(store: &MongoStore, population: &Population, number: usize) -> Result<(), Failure> {
    let (source, entity_type) = (population.source(), population.entity_type());
    let id = population.external_id(number)?;
    let found = store.by_external_id(source, entity_type, &id).await?;
    let found = found.ok_or("an external id leads nowhere")?;
    let expected = population.record(number, found.created_at)?;
    let alike = found.key == expected.key
        && found.external_id == expected.external_id
        && found.revision == expected.revision
        && found.synced_revision == expected.synced_revision
        && found.metadata == expected.metadata
        && found.status() == expected.status();
    if !alike || store.get(&expected.key).await?.as_ref() != Some(&found) {
        return Err(format!("filled with {found:?}, but the changes make {expected:?}").into());
    }
    Ok(())
}
