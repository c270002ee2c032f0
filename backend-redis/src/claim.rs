//! Claims: scripts that choose and take.

use redis::Value;
use sync_tracker_core::{
    ClaimRequest, Claimed, EntityRef, Filter, Result, SyncRecord, Timestamp, claim_order,
};

use crate::answer;
use crate::compose::Target;
use crate::error::{Effect, unexpected};
use crate::keys::entity_of;
use crate::row;
use crate::store::{RedisStore, record_at};
use crate::value::change_id;

/// How many records one script takes: more would keep the server from others for longer than a
/// millisecond.
const LARGEST: usize = 50;

/// What is known of earlier grants to the same claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// It is to be found out.
    Ask,
    /// There are none that live, and nothing was taken yet.
    None,
    Some,
}

/// What a script answers.
enum Answer {
    /// Fields of records that have a lease of this claim.
    Granted(Timestamp, Vec<EntityRef>),
    Taken(Vec<SyncRecord>),
    /// The same, and more may be due: these were large.
    More(Vec<SyncRecord>),
}

impl RedisStore {
    /// Takes as many as are due and asked for. What does not fit in one script comes in further
    /// ones.
    pub(crate) async fn claim_due(&self, request: &ClaimRequest) -> Result<Claimed> {
        let mut claimed = Claimed::default();
        let (mut room, mut known) = (request.limit(), Known::Ask);
        while room > 0 {
            let asked = room.min(LARGEST);
            match self.claim_once(request, asked, known).await? {
                Answer::Granted(now, entities) => {
                    let mut live = self.live(request, now, &entities).await?;
                    live.truncate(room);
                    room -= live.len();
                    known = if live.is_empty() { Known::None } else { Known::Some };
                    live.into_iter().for_each(|record| claimed.push(record));
                }
                Answer::More(records) => {
                    room -= records.len().min(room);
                    known = Known::Some;
                    records.into_iter().for_each(|record| claimed.push(record));
                }
                Answer::Taken(records) => {
                    let taken = records.len();
                    room -= taken.min(room);
                    known = Known::Some;
                    let ran_out = records.first().is_some_and(|_| taken < asked);
                    records.into_iter().for_each(|record| claimed.push(record));
                    if ran_out || taken == 0 {
                        break;
                    }
                }
            }
        }
        Ok(claimed)
    }

    async fn claim_once(
        &self,
        request: &ClaimRequest,
        room: usize,
        known: Known,
    ) -> Result<Answer> {
        let change = request.change();
        let prepared = self.scripts.of(&change, Target::Claim);
        let known = match known {
            Known::Ask => "ask",
            Known::None => "none",
            Known::Some => "some",
        };
        let mut args = vec![
            self.clock(),
            request.claim_id().to_string().into(),
            room.to_string().into(),
            known.into(),
            change_id(change.id()).into(),
        ];
        args.extend(prepared.params.iter().map(|param| param.of(&change)));
        let source = request.source();
        let answer = self.on_source(source, &prepared.script, &args, Effect::Write).await?;
        let [now, word, found] = answer::exactly(answer)?;
        let found = answer::list(found)?;
        let word = answer::text(word)?;
        if word == "granted" {
            let entities = found.into_iter().map(granted).collect::<Result<_>>()?;
            return Ok(Answer::Granted(answer::instant(&now)?, entities));
        }
        let records = found.into_iter().map(|taken| {
            let [field, record] = answer::exactly(taken)?;
            record_at(source, &answer::present(field)?, &answer::present(record)?)
        });
        let records = records.collect::<Result<_>>()?;
        Ok(if word == "more" { Answer::More(records) } else { Answer::Taken(records) })
    }

    /// The leases of this claim that still run, oldest due first.
    async fn live(
        &self,
        request: &ClaimRequest,
        now: Timestamp,
        entities: &[EntityRef],
    ) -> Result<Vec<SyncRecord>> {
        let live: Filter = request.granted();
        let mut records = Vec::new();
        for chunk in entities.chunks(LARGEST) {
            let chunk: Vec<_> = chunk.iter().collect();
            let read = self.read_many(request.source(), &chunk).await?;
            records.extend(read.into_iter().flatten().filter(|record| live.matches(record, now)));
        }
        records.sort_by(|a, b| claim_order(a).cmp(&claim_order(b)));
        Ok(records)
    }
}

/// The entity of a member of the index of leases, which stands after the claim.
fn granted(member: Value) -> Result<EntityRef> {
    let member = answer::present(member)?;
    let at = member.iter().position(|byte| *byte == 0).ok_or_else(unexpected)?;
    member.get(at + 1..).and_then(entity_of).ok_or_else(row::corrupt)
}
