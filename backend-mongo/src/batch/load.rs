//! What an `update` command carries: statements, each of changes that are alike.
//!
//! A server takes longer to read a pipeline than to carry it out. So changes of the same shape share
//! one, which takes their values from a list that stands beside it.

use std::collections::HashMap;

use mongodb::bson::{
    Document, RawArrayBuf, RawDocumentBuf, cstr, doc, rawdoc, serialize_to_raw_document_buf,
};
use sync_tracker_core::{ChangeId, Error, Result, alike};

use super::{Item, LARGEST_BYTES};
use crate::compose::{Composed, ITEM, Likeness, Params, Shared, Write, compose, compose_shared};
use crate::error::{self, Effect, unexpected};
use crate::expression::Now;
use crate::store::MongoStore;
use crate::value;

/// How many changes share a statement. Each record is looked for in the list of all.
const MOST_ALIKE: usize = 100;
/// How large their values are, together.
const MOST_BYTES: usize = 1 << 20;

/// One statement, and what it is for.
pub(super) struct Statement<'a> {
    items: Vec<Item<'a>>,
    /// Then it makes no record.
    is_shared: bool,
    update: RawDocumentBuf,
}

/// What a statement was for that is on its way.
pub(super) struct Sent<'a> {
    pub(super) items: Vec<Item<'a>>,
    pub(super) is_shared: bool,
}

/// What one command carries.
#[derive(Default)]
pub(super) struct Load<'a> {
    statements: Vec<Sent<'a>>,
    updates: RawArrayBuf,
    bytes: usize,
}

/// What the server says of a command.
pub(super) struct Written {
    /// Why statements were not carried out to the end, by their places.
    refused: HashMap<usize, Error>,
    /// How many changes the others applied.
    pub(super) applied: usize,
}

/// An item, and the values of its change.
pub(super) struct Valued<'a> {
    pub(super) item: Item<'a>,
    pub(super) values: RawDocumentBuf,
}

/// Sorts items by the entity type and source and by what their changes have in common.
pub(super) fn kinds<'a>(items: &[Item<'a>]) -> Vec<Vec<Item<'a>>> {
    let places: Vec<_> = (0..items.len()).collect();
    let groups = alike(&places, |place| {
        items.get(place).map(|Item { key, change, .. }| {
            (&key.source, &key.entity.entity_type, Likeness::of(change))
        })
    });
    let taken = |group: Vec<usize>| group.iter().filter_map(|at| items.get(*at).copied()).collect();
    groups.into_iter().map(taken).collect()
}

/// With the values of each.
pub(super) fn valued<'a>(items: &[Item<'a>], params: &Params) -> Result<Vec<Valued<'a>>> {
    let value = |item: &Item<'a>| {
        let values = params.item(item.change).map_err(error::unsendable)?;
        Ok(Valued { item: *item, values })
    };
    items.iter().map(value).collect()
}

/// Splits members into parts that are not too many nor too large.
pub(super) fn parts(
    members: Vec<Valued<'_>>,
    most: usize,
    most_bytes: usize,
) -> Vec<Vec<Valued<'_>>> {
    let mut parts: Vec<Vec<Valued<'_>>> = Vec::new();
    let mut bytes = 0;
    for member in members {
        let size = member.values.as_bytes().len();
        bytes += size;
        match parts.last_mut() {
            Some(part) if part.len() < most && bytes <= most_bytes => part.push(member),
            _ => {
                bytes = size;
                parts.push(vec![member]);
            }
        }
    }
    parts
}

/// The statements for items, shared by those that are alike.
pub(super) fn shared<'a>(
    items: &[Item<'a>],
    call: ChangeId,
    now: Now,
) -> Result<Vec<Statement<'a>>> {
    let write = Write { call, in_batch: true };
    let mut statements = Vec::new();
    for items in kinds(items) {
        let [first, _, ..] = items.as_slice() else {
            for item in items {
                statements.push(Statement::of(item, call, now)?);
            }
            continue;
        };
        let Shared { pipeline, params } = compose_shared(first.change, write, now);
        for part in parts(valued(&items, &params)?, MOST_ALIKE, MOST_BYTES) {
            statements.push(Statement::of_alike(part, &pipeline)?);
        }
    }
    Ok(statements)
}

impl<'a> Statement<'a> {
    /// For one item, which may make its record.
    pub(super) fn of(item: Item<'a>, call: ChangeId, now: Now) -> Result<Self> {
        let write = Write { call, in_batch: true };
        let Composed { pipeline, may_create } = compose(item.change, write, now);
        let of_key = doc! { "_id": value::key(item.key) };
        let update = doc! { "q": of_key, "u": pipeline, "upsert": may_create };
        Ok(Self { items: vec![item], is_shared: false, update: encoded(&update)? })
    }

    /// For records of one source and entity type that are there.
    fn of_alike(members: Vec<Valued<'a>>, pipeline: &[Document]) -> Result<Self> {
        let ids: Vec<_> = members.iter().map(|it| value::key(it.item.key)).collect();
        let mut names = RawArrayBuf::new();
        let mut values = RawArrayBuf::new();
        let mut items = Vec::new();
        for Valued { item, values: of_item } in members {
            names.push(item.key.entity.entity_id.as_str());
            values.push(of_item);
            items.push(item);
        }
        let place = rawdoc! { "$indexOfArray": [{ "$literal": names }, "$_id.entity_id"] };
        let item = rawdoc! { "$arrayElemAt": [{ "$literal": values }, place] };
        let mut stages = RawArrayBuf::new();
        let mut set = RawDocumentBuf::new();
        set.append(ITEM, item);
        stages.push(rawdoc! { "$set": set });
        for stage in pipeline {
            stages.push(encoded(stage)?);
        }
        let mut update = encoded(&doc! { "q": { "_id": { "$in": ids } } })?;
        update.append(cstr!("u"), stages);
        update.append(cstr!("multi"), true);
        update.append(cstr!("hint"), rawdoc! { "_id": 1 });
        Ok(Self { items, is_shared: true, update })
    }
}

pub(super) fn encoded(document: &Document) -> Result<RawDocumentBuf> {
    RawDocumentBuf::try_from(document).map_err(error::unsendable)
}

impl<'a> Load<'a> {
    pub(super) fn is_full_for(&self, statement: &Statement<'a>) -> bool {
        self.bytes + statement.update.as_bytes().len() > LARGEST_BYTES
    }

    pub(super) fn add(&mut self, statement: Statement<'a>) {
        let Statement { items, is_shared, update } = statement;
        self.bytes += update.as_bytes().len();
        self.updates.push(update);
        self.statements.push(Sent { items, is_shared });
    }

    pub(super) fn items(&self) -> Vec<Item<'a>> {
        self.statements.iter().flat_map(|statement| statement.items.iter().copied()).collect()
    }
}

impl Written {
    fn read(answer: &Document) -> Result<Self> {
        let mut refused = HashMap::new();
        for item in answer.get_array("writeErrors").into_iter().flatten() {
            let item = item.as_document().ok_or_else(unexpected)?;
            let place = item.get_i32("index").map_err(|_| unexpected())?;
            let place = place.try_into().map_err(|_| unexpected())?;
            refused.insert(place, error::of_item(item)?);
        }
        // A change that is not applied leaves its record as it was.
        let changed = answer.get_i32("nModified").map_err(|_| unexpected())?;
        let changed: usize = changed.try_into().map_err(|_| unexpected())?;
        let made = answer.get_array("upserted").map_or(0, Vec::len);
        Ok(Self { refused, applied: changed + made })
    }

    pub(super) fn refused(&self, statement: usize) -> Option<&Error> {
        self.refused.get(&statement)
    }
}

impl MongoStore {
    pub(super) async fn write<'a>(&self, load: Load<'a>) -> Result<(Vec<Sent<'a>>, Written)> {
        let mut command = RawDocumentBuf::new();
        command.append(cstr!("update"), self.records.name());
        command.append(cstr!("updates"), load.updates);
        command.append(cstr!("ordered"), false);
        command.append(cstr!("writeConcern"), self.encoded_write_concern()?);
        let database = self.database.clone();
        let write = async move { database.run_raw_command(command).await };
        let answer = self.run(Effect::Write, write).await;
        let answer = answer.map_err(|failed| failed.into_error(Effect::Write))?;
        if answer.contains_key("writeConcernError") {
            return Err(error::unacknowledged());
        }
        Ok((load.statements, Written::read(&answer)?))
    }

    pub(super) fn encoded_write_concern(&self) -> Result<RawDocumentBuf> {
        serialize_to_raw_document_buf(&self.write_concern).map_err(error::unsendable)
    }
}
