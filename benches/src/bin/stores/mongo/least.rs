//! The least that a program would write by hand to know what is synced: a collection of links, each
//! with a state and since when it has that. No revisions, no failures, no fencing, nothing is
//! decided. A write waits for the journals of the majority, as those of the store do, and returns
//! its documents.

use std::time::Instant;

use async_trait::async_trait;
use futures_util::TryStreamExt;
use mongodb::bson::{DateTime, Document, doc};
use mongodb::options::{
    Acknowledgment, CollectionOptions, IndexOptions, ReturnDocument, WriteConcern,
};
use mongodb::{Collection, Database, IndexModel};
use serde::{Deserialize, Serialize};
use sync_tracker_benches::Failure;
use sync_tracker_benches::contest::{Contestant, Done};
use sync_tracker_benches::population::Population;
use sync_tracker_benches::workload::{Operation, Workload};
use sync_tracker_core::{ClaimId, Key};

const COLLECTION: &str = "links";

/// How many links one command has when the collection is filled.
const FILLED: usize = 1_000;

/// What a document says.
#[derive(Debug, Serialize, Deserialize)]
struct Link {
    #[serde(rename = "_id")]
    id: String,
    source: String,
    entity_type: String,
    entity_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    state: String,
    updated_at: DateTime,
    metadata: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Least {
    links: Collection<Link>,
    database: Database,
    population: Population,
}

fn durable() -> WriteConcern {
    WriteConcern::builder().w(Some(Acknowledgment::Majority)).journal(true).build()
}

fn links(database: &Database) -> Collection<Link> {
    let options = CollectionOptions::builder().write_concern(durable()).build();
    database.collection_with_options(COLLECTION, options)
}

fn id(key: &Key) -> String {
    let Key { source, entity } = key;
    format!("{source}:{}:{}", entity.entity_type, entity.entity_id)
}

fn state(pending: bool) -> &'static str {
    if pending { "pending" } else { "synced" }
}

impl Least {
    pub(crate) fn new(database: Database, population: Population) -> Self {
        Self { links: links(&database), database, population }
    }

    /// Makes a database with the population.
    pub(crate) async fn create(
        database: &Database,
        population: &Population,
    ) -> Result<(), Failure> {
        let links = links(database);
        let of_ids = IndexOptions::builder()
            .unique(true)
            .partial_filter_expression(doc! { "external_id": { "$exists": true } })
            .build();
        let of_ids = IndexModel::builder()
            .keys(doc! { "source": 1, "entity_type": 1, "external_id": 1 })
            .options(of_ids)
            .build();
        let of_pending =
            IndexOptions::builder().partial_filter_expression(doc! { "state": "pending" }).build();
        let of_pending = IndexModel::builder()
            .keys(doc! { "source": 1, "updated_at": 1 })
            .options(of_pending)
            .build();
        links.create_indexes([of_ids, of_pending]).await?;
        for first in (0..population.size()).step_by(FILLED) {
            let numbers = first..population.size().min(first + FILLED);
            let link = |number| {
                let key = population.key(number)?;
                Ok(Link {
                    id: id(&key),
                    source: key.source.to_string(),
                    entity_type: key.entity.entity_type.to_string(),
                    entity_id: key.entity.entity_id.to_string(),
                    external_id: Some(population.external_id(number)?.to_string()),
                    state: state(population.is_due(number)).to_owned(),
                    updated_at: DateTime::now(),
                    metadata: Some(population.metadata(number).to_string()),
                })
            };
            let filled: Vec<_> = numbers.map(link).collect::<Result<_, Failure>>()?;
            links.insert_many(filled).ordered(false).await?;
        }
        Ok(())
    }

    /// Adds or changes links, and reads them as they are then: for many that takes a second call.
    async fn upsert(&self, operation: Operation, numbers: &[usize]) -> Result<usize, Failure> {
        let synced = operation == Operation::MarkSynced;
        let (mut ids, mut updates) = (Vec::new(), Vec::new());
        for number in numbers {
            let key = match operation {
                Operation::Create => self.population.new_key(*number)?,
                _ => self.population.key(*number)?,
            };
            let mut set = doc! { "state": state(!synced), "updated_at": DateTime::now() };
            if synced {
                set.insert("external_id", self.population.external_id(*number)?.to_string());
            }
            let born = doc! {
                "source": key.source.as_str(),
                "entity_type": key.entity.entity_type.as_str(),
                "entity_id": key.entity.entity_id.as_str(),
                "metadata": null,
            };
            ids.push(id(&key));
            updates.push(doc! { "$set": set, "$setOnInsert": born });
        }
        if let ([id], [update]) = (ids.as_slice(), updates.as_slice()) {
            let changed = self.links.find_one_and_update(doc! { "_id": id }, update.clone());
            let changed = changed.upsert(true).return_document(ReturnDocument::After).await?;
            return Ok(usize::from(changed.is_some()));
        }
        let updates = ids.iter().zip(updates);
        let updates: Vec<_> = updates
            .map(|(id, update)| doc! { "q": { "_id": id }, "u": update, "upsert": true })
            .collect();
        let concern = doc! { "w": "majority", "j": true };
        let command = doc! {
            "update": COLLECTION, "updates": updates, "ordered": false, "writeConcern": concern
        };
        self.database.run_command(command).await?;
        self.found(doc! { "_id": { "$in": ids } }).await
    }

    async fn found(&self, filter: Document) -> Result<usize, Failure> {
        let found: Vec<Link> =
            self.links.find(filter).batch_size(1_000).await?.try_collect().await?;
        Ok(found.len())
    }

    async fn claim(&self, limit: usize) -> Result<Done, Failure> {
        let source = self.population.source().as_str();
        let due = self.links.find(doc! { "source": source, "state": "pending" });
        let due = due.sort(doc! { "updated_at": 1 }).limit(i64::try_from(limit)?);
        let due: Vec<Link> = due.await?.try_collect().await?;
        let ids: Vec<_> = due.into_iter().map(|it| it.id).collect();
        let claim = ClaimId::random().to_string();
        let these = doc! { "_id": { "$in": &ids }, "state": "pending" };
        let claimed = doc! { "$set": { "state": "claimed", "claimed_by": &claim } };
        self.links.update_many(these, claimed).await?;
        let mine = doc! { "_id": { "$in": &ids }, "claimed_by": &claim };
        let records = self.found(mine.clone()).await?;
        let begun = Instant::now();
        self.links.update_many(mine, doc! { "$set": { "state": "pending" } }).await?;
        Ok(Done { records, apart: begun.elapsed() })
    }
}

#[async_trait]
impl Contestant for Least {
    async fn call(
        &self,
        _caller: usize,
        workload: Workload,
        numbers: &[usize],
    ) -> Result<Done, Failure> {
        let Self { population, .. } = self;
        let source = population.source().as_str();
        let records = match workload.operation {
            Operation::Get => {
                let ids = numbers.iter().map(|it| Ok(id(&population.key(*it)?)));
                let ids: Vec<_> = ids.collect::<Result<_, Failure>>()?;
                match ids.as_slice() {
                    [id] => usize::from(self.links.find_one(doc! { "_id": id }).await?.is_some()),
                    ids => self.found(doc! { "_id": { "$in": ids } }).await?,
                }
            }
            Operation::ByExternalId => {
                let ids = numbers.iter().map(|it| Ok(population.external_id(*it)?.to_string()));
                let ids: Vec<_> = ids.collect::<Result<_, Failure>>()?;
                let mut filter = doc! {
                    "source": source, "entity_type": population.entity_type().as_str()
                };
                match ids.as_slice() {
                    [id] => filter.insert("external_id", id),
                    ids => filter.insert("external_id", doc! { "$in": ids, "$exists": true }),
                };
                self.found(filter).await?
            }
            Operation::Create | Operation::Update | Operation::MarkSynced => {
                self.upsert(workload.operation, numbers).await?
            }
            Operation::Claim => return self.claim(workload.batch).await,
            Operation::NeedsSync => {
                let due = self.links.find(doc! { "source": source, "state": "pending" });
                let due = due.sort(doc! { "updated_at": 1 });
                let due = due.limit(i64::try_from(workload.batch)?);
                due.await?.try_collect::<Vec<_>>().await?.len()
            }
            Operation::Statistics => {
                let counts = [
                    doc! { "$match": { "source": source } },
                    doc! { "$group": { "_id": "$state", "count": { "$sum": 1 } } },
                ];
                let counts = self.links.aggregate(counts).await?;
                usize::from(!counts.try_collect::<Vec<_>>().await?.is_empty())
            }
        };
        if records < numbers.len() {
            return Err(format!("{workload}: {records} of {} links", numbers.len()).into());
        }
        Ok(Done::records(records))
    }
}
