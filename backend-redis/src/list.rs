//! Pages: a walk along the index that fits the filter, which is in the order of keys.

use sync_tracker_core::{
    Cursor, EntityRef, Filter, Page, PageSize, Result, Source, Status, SyncRecord, Timestamp,
};

use crate::answer;
use crate::error::{Effect, unexpected};
use crate::keys::{OF_CLAIM, OF_KEYS, OF_STATUS, entity_of, field};
use crate::row;
use crate::store::{RedisStore, record_at};
use crate::value::status;

/// Where to walk.
enum Walk {
    /// Along members of the index that have this before their field, by ranges one after the other.
    Of(Vec<u8>, Vec<Range>),
    /// Along those of several statuses at the same time.
    Merged(Vec<u8>, Range),
}

/// Fields from one, or behind it, to before another.
#[derive(Clone)]
struct Range {
    from: Vec<u8>,
    is_behind: bool,
    to: Option<Vec<u8>>,
}

impl Range {
    fn of(from: &[u8], to: Option<&[u8]>) -> Self {
        Self { from: from.into(), is_behind: false, to: to.map(Into::into) }
    }

    /// What of it is behind a field.
    fn behind(self, field: &[u8]) -> Self {
        if field < self.from.as_slice() {
            return self;
        }
        Self { from: field.into(), is_behind: true, ..self }
    }

    /// As the bounds of a walk along members that have something before their field.
    fn bounds(&self, before: &[u8]) -> [Vec<u8>; 2] {
        let open: &[u8] = if self.is_behind { b"(" } else { b"[" };
        // No byte of a field is as large.
        let to = self.to.as_deref().unwrap_or(b"\xff");
        let to = [b"(", before, to].concat();
        [[open, before, &self.from].concat(), to]
    }
}

const RESERVED: &[u8] = b"sync-tracker/";
/// The first name behind all that are reserved.
const BEHIND_RESERVED: &[u8] = b"sync-tracker0";

fn walk(filter: &Filter) -> Walk {
    let Filter { source: _, entity_type, status: of, due, claim_id, metadata: _ } = filter;
    let range = match entity_type {
        Some(of) => {
            let name = of.as_str().as_bytes();
            Range::of(&[name, b"\0"].concat(), Some(&[name, b"\x01"].concat()))
        }
        None => Range::of(b"", None),
    };
    // Reserved types are in no index of states.
    if entity_type.as_ref().is_some_and(|of| of.is_reserved()) {
        return Walk::Of(OF_KEYS.into(), vec![range]);
    }
    match (claim_id, of, due) {
        (Some(claim), ..) => {
            Walk::Of([OF_CLAIM, claim.to_string().as_bytes(), b"\0"].concat(), vec![range])
        }
        (None, Some(of), _) if *of != Status::Synced => {
            Walk::Of([OF_STATUS, &[status(*of)]].concat(), vec![range])
        }
        (None, None, Some(true)) => {
            let queued = [Status::InProgress, Status::Failed, Status::Pending];
            Walk::Merged(queued.map(status).into(), range)
        }
        _ if entity_type.is_some() => Walk::Of(OF_KEYS.into(), vec![range]),
        _ => {
            let unreserved = [Range::of(b"", Some(RESERVED)), Range::of(BEHIND_RESERVED, None)];
            Walk::Of(OF_KEYS.into(), unreserved.into())
        }
    }
}

/// How many records one script reads, if they are not [too large](crate::lua::MOST_BYTES).
const LARGEST: usize = 100;

/// Some records of a walk, in order.
struct Stretch {
    now: Timestamp,
    records: Vec<SyncRecord>,
    /// Where it goes on.
    last: Option<Vec<u8>>,
}

impl RedisStore {
    pub(crate) async fn page(
        &self,
        filter: &Filter,
        after: Option<&Cursor>,
        size: PageSize,
    ) -> Result<Page> {
        let walk = walk(filter);
        let sources = match &filter.source {
            Some(source) => vec![source.clone()],
            None => {
                let reserved = filter.entity_type.as_ref().is_some_and(|of| of.is_reserved());
                self.registered_sources(reserved, after.map(Cursor::source)).await?
            }
        };
        let mut found = Vec::new();
        for source in &sources {
            let mut position = match after {
                Some(cursor) if cursor.source() > source => continue,
                Some(cursor) if cursor.source() == source => match cursor.key() {
                    Some(key) => Some(field(&key.entity)),
                    None => continue,
                },
                _ => None,
            };
            loop {
                // One more tells whether there is another page.
                let missing = size.get() + 1 - found.len();
                let stretch =
                    self.stretch(source, &walk, position.as_deref(), missing.min(LARGEST)).await?;
                let passing =
                    stretch.records.into_iter().filter(|it| filter.matches(it, stretch.now));
                found.extend(passing.take(missing));
                position = stretch.last;
                if found.len() > size.get() {
                    return Ok(Page::of(found, size));
                }
                if position.is_none() {
                    break;
                }
            }
        }
        Ok(Page::of(found, size))
    }

    async fn stretch(
        &self,
        source: &Source,
        walk: &Walk,
        after: Option<&[u8]>,
        room: usize,
    ) -> Result<Stretch> {
        let behind = |range: &Range| match after {
            Some(field) => range.clone().behind(field),
            None => range.clone(),
        };
        let (before, ranges) = match walk {
            Walk::Of(before, ranges) => (before, ranges.iter().map(behind)),
            Walk::Merged(states, range) => {
                return self.merged(source, states, &behind(range), room).await;
            }
        };
        let numbers = [room, before.len()].map(|number| number.to_string().into_bytes());
        let mut args = vec![self.clock()];
        args.extend(numbers);
        args.extend(ranges.flat_map(|range| range.bounds(before)));
        let answer = self.on_source(source, &self.scripts.page, &args, Effect::None).await?;
        let [now, fields, values, is_over] = answer::exactly(answer)?;
        let (fields, values) = (answer::list(fields)?, answer::list(values)?);
        let is_over = answer::number(&is_over)? == 1;
        let mut last = None;
        let mut records = Vec::with_capacity(fields.len());
        for (field, value) in fields.into_iter().zip(values) {
            let field = answer::present(field)?;
            let bytes = answer::bytes(value)?.ok_or_else(row::corrupt)?;
            records.push(record_at(source, &field, &bytes)?);
            last = Some(field);
        }
        Ok(Stretch { now: answer::instant(&now)?, records, last: last.filter(|_| !is_over) })
    }

    /// Where several walks together come next, and in a second step the records that are there.
    async fn merged(
        &self,
        source: &Source,
        states: &[u8],
        range: &Range,
        room: usize,
    ) -> Result<Stretch> {
        let mut args = vec![self.clock(), room.to_string().into()];
        args.extend(states.iter().flat_map(|state| range.bounds(&[OF_STATUS, &[*state]].concat())));
        let answer = self.on_source(source, &self.scripts.merge, &args, Effect::None).await?;
        let mut answers = answer::list(answer)?.into_iter();
        let now = answer::instant(&answers.next().ok_or_else(unexpected)?)?;
        let mut fields = Vec::new();
        for members in answers {
            let members = answer::list(members)?.into_iter().map(answer::present);
            fields.extend(members.collect::<Result<Vec<_>>>()?);
        }
        fields.sort_unstable();
        // Behind these one of the walks may have gone on.
        let is_full = fields.len() >= room;
        fields.truncate(room);
        let entities = fields.iter().map(|field| entity_of(field).ok_or_else(row::corrupt));
        let entities: Vec<EntityRef> = entities.collect::<Result<_>>()?;
        let records = match entities.is_empty() {
            true => Vec::new(),
            false => self.read_many(source, &entities.iter().collect::<Vec<_>>()).await?,
        };
        let records = records.into_iter().flatten().collect();
        Ok(Stretch { now, records, last: fields.pop().filter(|_| is_full) })
    }
}
