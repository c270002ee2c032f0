//! People who edit at random, on one side each.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::journal::Journal;
use crate::shop::{Staff, Stocked};
use crate::two_way::{TwoWay, TwoWayError};

/// Whose people they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Ours: they edit our database.
    Ours,
    /// The staff of the shop.
    Theirs,
}

const FIELDS: [&str; 5] = ["title", "vendor", "description", "price", "stock"];
/// The longest pause between two edits.
const PAUSE: Duration = Duration::from_millis(6);

/// Somebody who edits products.
#[derive(Debug)]
pub(super) struct Person {
    side: Side,
    chance: StdRng,
    app: TwoWay,
    staff: Staff,
    journal: Arc<Journal>,
    /// Makes every value that is ever written another one, so that each can be found again.
    values: u64,
    made: u64,
}

impl Person {
    pub(super) fn new(
        side: Side,
        seed: u64,
        app: &TwoWay,
        staff: Staff,
        journal: &Arc<Journal>,
    ) -> Self {
        let (app, journal) = (app.clone(), Arc::clone(journal));
        let stream = match side {
            Side::Ours => 1,
            Side::Theirs => 2,
        };
        let chance = StdRng::seed_from_u64(seed.wrapping_mul(2).wrapping_add(stream));
        Self { side, chance, app, staff, journal, values: 0, made: 0 }
    }

    /// Waits a little, then does something to some product.
    pub(super) async fn edit(&mut self) -> Result<(), TwoWayError> {
        tokio::time::sleep(PAUSE.mul_f64(self.chance.random::<f64>())).await;
        self.journal.count_edit();
        match (self.chance.random_range(0..100), self.side) {
            (0..80, _) => self.change_a_field().await,
            (80..86, _) => self.create().await,
            (86..91, _) => self.delete().await,
            (91..96, _) => self.restore().await,
            (96..100, Side::Ours) => self.create_on_both_sides().await,
            (_, Side::Theirs) => {
                self.merge();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn change_a_field(&mut self) -> Result<(), TwoWayError> {
        let field = FIELDS[self.chance.random_range(0..FIELDS.len())];
        let value = self.value(field);
        match self.side {
            Side::Ours => {
                let live = self.app.db().rows().into_iter().filter(|(_, row)| !row.deleted);
                let live: Vec<_> = live.map(|(entity, _)| entity).collect();
                let Some(entity) = live.choose(&mut self.chance) else { return Ok(()) };
                if let Some(before) = self.app.edit(entity, field, value.clone()).await? {
                    self.journal.edited(self.side, sku(&before), field, value, &before);
                }
            }
            Side::Theirs => {
                let live = self.staff.products();
                let Some(Stocked { id, .. }) = live.choose(&mut self.chance) else {
                    return Ok(());
                };
                if let Some(before) = self.staff.edit(id, field, value.clone()) {
                    let before = before.product;
                    self.journal.edited(self.side, sku(&before), field, value, &before);
                }
            }
        }
        Ok(())
    }

    /// Makes a product that nobody has.
    pub(super) async fn create(&mut self) -> Result<(), TwoWayError> {
        let sku = self.next_sku();
        let content = self.content(&sku);
        match self.side {
            Side::Ours => {
                if self.app.create(content.clone()).await?.is_some() {
                    self.journal.created(self.side, &sku, &content);
                }
            }
            Side::Theirs => {
                if self.staff.create(content.clone()).is_some() {
                    self.journal.created(self.side, &sku, &content);
                }
            }
        }
        Ok(())
    }

    /// Both sides make the same product, before they hear of each other: sometimes alike.
    async fn create_on_both_sides(&mut self) -> Result<(), TwoWayError> {
        let sku = self.next_sku();
        let (ours, mut theirs) = (self.content(&sku), self.content(&sku));
        if self.chance.random_bool(0.4) {
            theirs = ours.clone();
        }
        if self.staff.create(theirs.clone()).is_some() {
            self.journal.created(Side::Theirs, &sku, &theirs);
        }
        if self.app.create(ours.clone()).await?.is_some() {
            self.journal.created(Side::Ours, &sku, &ours);
        }
        Ok(())
    }

    async fn delete(&mut self) -> Result<(), TwoWayError> {
        let before = match self.side {
            Side::Ours => {
                let live = self.app.db().rows().into_iter().filter(|(_, row)| !row.deleted);
                let live: Vec<_> = live.map(|(entity, _)| entity).collect();
                let Some(entity) = live.choose(&mut self.chance) else { return Ok(()) };
                self.app.delete(entity).await?
            }
            Side::Theirs => {
                let live = self.staff.products();
                let chosen = live.choose(&mut self.chance);
                chosen.and_then(|it| self.staff.delete(&it.id)).map(|it| it.product)
            }
        };
        if let Some(before) = before {
            self.journal.deleted(self.side, sku(&before), &before);
        }
        Ok(())
    }

    async fn restore(&mut self) -> Result<(), TwoWayError> {
        let restored = match self.side {
            Side::Ours => {
                let deleted = self.app.db().rows().into_iter().filter(|(_, row)| row.deleted);
                let deleted: Vec<_> = deleted.map(|(entity, _)| entity).collect();
                let Some(entity) = deleted.choose(&mut self.chance) else { return Ok(()) };
                self.app.restore(entity).await?
            }
            Side::Theirs => {
                let removed = self.staff.removed();
                let chosen = removed.choose(&mut self.chance);
                chosen.and_then(|it| self.staff.restore(&it.id)).map(|it| it.product)
            }
        };
        if let Some(content) = restored {
            self.journal.restored(self.side, sku(&content));
        }
        Ok(())
    }

    fn merge(&mut self) {
        let live = self.staff.products();
        let (Some(loser), Some(winner)) =
            (live.choose(&mut self.chance), live.choose(&mut self.chance))
        else {
            return;
        };
        if let Some(merged) = self.staff.merge(&loser.id, &winner.id) {
            self.journal.merged(sku(&merged.product), &merged.product);
        }
    }

    fn next_sku(&mut self) -> String {
        self.made += 1;
        format!("{}-{}", self.name(), self.made)
    }

    fn name(&self) -> &'static str {
        match self.side {
            Side::Ours => "ours",
            Side::Theirs => "theirs",
        }
    }

    fn content(&mut self, sku: &str) -> Value {
        let mut content = json!({ "handle": sku });
        for field in FIELDS {
            content[field] = self.value(field);
        }
        content
    }

    /// A value that nobody else writes: ours are even, the shop's are odd.
    fn value(&mut self, field: &str) -> Value {
        self.values += 1;
        let odd = u64::from(self.side == Side::Theirs);
        match field {
            "price" | "stock" => json!(self.values * 2 + odd),
            _ => json!(format!("{field} {} by {}", self.values, self.name())),
        }
    }
}

fn sku(content: &Value) -> &str {
    content["handle"].as_str().unwrap_or_default()
}
