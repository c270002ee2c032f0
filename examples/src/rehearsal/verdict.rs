//! Whether both sides are equal, and whether anything was lost.

use std::collections::BTreeMap;

use serde_json::Value;
use sync_tracker::Status;

use super::Failure;
use super::journal::{Act, Entry, Journal};
use crate::shop::Shop;
use crate::two_way::{PRODUCT, SHOP, TwoWay};

/// What is wrong in the end; nothing, if all is well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Whether both sides came to rest in time.
    pub at_rest: bool,
    /// How many products both sides have.
    pub products: usize,
    /// Products in which the sides differ, or that the ledger does not call synced.
    pub different: Vec<String>,
    /// Edits that are in neither end state, and that nothing accounts for.
    pub lost: Vec<String>,
    /// SKUs that a side has more than once.
    pub duplicates: Vec<String>,
}

impl Verdict {
    /// Whether all is well.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let Self { at_rest, products: _, different, lost, duplicates } = self;
        *at_rest && different.is_empty() && lost.is_empty() && duplicates.is_empty()
    }

    /// Compares both sides with each other and with what people did.
    pub(super) async fn new(
        app: &TwoWay,
        shop: &Shop,
        journal: &Journal,
        at_rest: bool,
    ) -> Result<Self, Failure> {
        let mut verdict = Self { at_rest, ..Self::default() };
        let live = app.db().rows().into_iter().filter(|(_, row)| !row.deleted);
        let live: Vec<_> = live.collect();
        let ours = verdict.by_sku(live.iter().map(|(_, row)| row.content.clone()));
        let products = shop.products();
        let ids: BTreeMap<_, _> =
            products.iter().map(|it| (it.handle.clone(), it.id.clone())).collect();
        let theirs = verdict.by_sku(products.into_iter().map(|it| it.product));
        verdict.products = theirs.len();

        let skus = ours.keys().chain(theirs.keys());
        for sku in skus.filter(|sku| ours.get(*sku) != theirs.get(*sku)) {
            let (ours, theirs) = (ours.get(sku), theirs.get(sku));
            verdict.different.push(format!("{sku}: ours {ours:?}, the shop's {theirs:?}"));
        }
        for (entity, row) in live {
            let sku = sku(&row.content);
            let record = app.tracker().record(&entity, SHOP).await?;
            let status = record.as_ref().map(sync_tracker::SyncRecord::status);
            let id = record.and_then(|record| record.external_id).map(|id| id.to_string());
            if status != Some(Status::Synced) || id.as_ref() != ids.get(sku) {
                let problem = format!("{sku}: the ledger says {status:?}, {id:?}");
                verdict.different.push(problem);
            }
        }
        for status in [Status::DeadLetter, Status::Conflict, Status::Pending, Status::Failed] {
            let left = app.tracker().query(SHOP).entity_type(PRODUCT).status(status).await?;
            verdict.different.extend(left.records.iter().map(|record| {
                let row = app.db().row(&record.key.entity);
                format!("{}: {status}, of {row:?}: {record:?}", record.key)
            }));
        }
        verdict.account(journal, app, &ours, &theirs);
        Ok(verdict)
    }

    /// The products by their SKUs, of which each may be there once.
    fn by_sku(&mut self, contents: impl Iterator<Item = Value>) -> BTreeMap<String, Value> {
        let mut products = BTreeMap::new();
        for content in contents {
            let sku = sku(&content).to_owned();
            if products.insert(sku.clone(), content).is_some() {
                self.duplicates.push(sku);
            }
        }
        products
    }

    /// Looks for every act of people in the end states. A value is accounted for if it is in both,
    /// if somebody saw it and replaced it, or if it is in the log of resolutions; so are a deletion
    /// and a restoration, by acts that came after them.
    fn account(
        &mut self,
        journal: &Journal,
        app: &TwoWay,
        ours: &BTreeMap<String, Value>,
        theirs: &BTreeMap<String, Value>,
    ) {
        let log = app.db().resolutions();
        let gave_way = |sku: &str, field: &str, value: &Value| {
            let mut lines = log.iter().filter(|line| line.sku == sku);
            lines.any(|line| {
                line.field.as_ref().is_some_and(|(name, given)| name == field && given == value)
            })
        };
        let as_a_whole = |sku: &str| log.iter().any(|line| line.sku == sku && line.field.is_none());
        let entries = journal.entries();
        for (at, Entry { side, sku, act }) in entries.iter().enumerate() {
            let later = |wanted: &[Act]| {
                let mut rest = entries[at + 1..].iter().filter(|entry| entry.sku == *sku);
                rest.any(|entry| wanted.contains(&entry.act))
            };
            let (here, there) = (ours.get(sku), theirs.get(sku));
            let accounted = match act {
                Act::Set { field, value } => {
                    let holds = |content: Option<&Value>| {
                        content.is_some_and(|content| content.get(field) == Some(value))
                    };
                    (holds(here) && holds(there))
                        || journal.is_replaced(sku, field, value)
                        || gave_way(sku, field, value)
                }
                Act::Delete | Act::MergeAway => {
                    (here.is_none() && there.is_none())
                        || later(&[Act::Restore])
                        || journal.is_made_by_both(sku)
                        || as_a_whole(sku)
                }
                Act::Restore => {
                    (here.is_some() && there.is_some())
                        || later(&[Act::Delete, Act::MergeAway])
                        || as_a_whole(sku)
                }
            };
            if !accounted {
                self.lost.push(format!("{sku}, {side:?}: {act:?}"));
            }
        }
    }
}

fn sku(content: &Value) -> &str {
    content["handle"].as_str().unwrap_or_default()
}
