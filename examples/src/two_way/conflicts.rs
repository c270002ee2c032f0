//! Conflicts, and who gives way.

use serde_json::{Map, Value};
use sync_tracker::policy::{Contents, Decision, FieldByField, LocalWins, Policy};
use sync_tracker::rules::Winner;
use sync_tracker::{SyncRecord, Verdict};

use super::database::{Resolution, sku};
use super::observe::Next;
use super::{SHOP, TwoWay, TwoWayError, Weakness};
use crate::client::State;

/// How often a decision is made again if a side moved meanwhile.
const TRIES: usize = 8;

/// What holds, and what gave way.
struct Decided {
    winner: Winner,
    content: Option<Value>,
    gave_way: Vec<Resolution>,
}

impl TwoWay {
    /// Under the locks of the object and of its row: resolves the conflict that is open.
    pub(super) async fn resolve(&self, mut record: SyncRecord) -> Result<Next, TwoWayError> {
        let entity = record.key.entity.clone();
        let mut base = None;
        for _ in 0..TRIES {
            // The base as it was before the conflict: news unsets it.
            base = record.base.as_ref().and_then(|print| self.db.kept(print)).or(base);
            let Some(id) = Self::external_id(&record) else { return Ok(Next::Read) };
            let seen = self.read(&id).await?;
            let remote = match &seen.state {
                State::There(content) => content.clone(),
                State::Gone => None,
                State::MergedInto(into) => return Ok(Next::Merged(into.clone())),
            };
            let observed = self.tell(&seen, Some(&record)).await?;
            let moved = matches!(observed.verdict, Verdict::Unordered | Verdict::Stale);
            if !moved && let Some(now) = observed.record {
                if now.conflict.is_none() {
                    return Ok(Next::Settled);
                }
                let local = self.db.live(&entity);
                let Decided { winner, content, gave_way } =
                    self.decide(&now, base.as_ref(), local.as_ref(), remote.as_ref());
                let by_rule = !gave_way.is_empty();
                // Before the write: a crash in between may log twice, and never loses silently.
                self.db.log(gave_way);
                match content {
                    Some(content) => self.db.write(&entity, content),
                    None => self.db.delete(&entity),
                }
                let mut resolve = self.tracker.resolve(&now, winner);
                if let Some(remote) = &remote {
                    resolve = resolve.remote_fingerprint(self.db.keep(remote)?);
                }
                if resolve.await?.is_applied() {
                    self.tally.note(|tally| match by_rule {
                        true => tally.by_rule += 1,
                        false => tally.by_field += 1,
                    });
                    return Ok(Next::Settled);
                }
            }
            match self.tracker.record(&entity, SHOP).await? {
                Some(now) if now.conflict.is_some() => record = now,
                _ => return Ok(Next::Read),
            }
        }
        Err(TwoWayError::Later("the conflict keeps changing"))
    }

    /// Field by field; where that is for a person, the shop's side holds, with a line in the log.
    fn decide(
        &self,
        record: &SyncRecord,
        base: Option<&Value>,
        local: Option<&Value>,
        remote: Option<&Value>,
    ) -> Decided {
        let decided = |winner, content: Option<Value>| {
            let gave_way = Vec::new();
            Decided { winner, content, gave_way }
        };
        if !record.is_dirty() {
            // What we had is in the shop by now, and was changed there.
            return decided(Winner::Remote, remote.cloned());
        }
        let contents = Contents { base, local, remote };
        let decision = match self.weakness {
            Some(Weakness::OursWins) => LocalWins.decide(contents),
            _ => FieldByField.decide(contents),
        };
        match decision {
            Decision::Local => decided(Winner::Local, local.cloned()),
            Decision::Remote => decided(Winner::Remote, remote.cloned()),
            Decision::Merged(whole) => decided(Winner::Local, Some(whole)),
            Decision::Manual => by_rule(base, local, remote),
        }
    }
}

/// The shop's side holds wherever both changed something.
fn by_rule(base: Option<&Value>, local: Option<&Value>, remote: Option<&Value>) -> Decided {
    let line = |content: &Value, field, because| {
        let sku = sku(content).to_owned();
        Resolution { sku, field, because }
    };
    match (local, remote) {
        (Some(local), Some(remote)) => {
            let (mut whole, mut gave_way) = (remote.clone(), Vec::new());
            for (name, value) in changed(base, local) {
                if remote.get(&name) == Some(&value) {
                    continue;
                }
                if base.is_some_and(|base| base.get(&name) == remote.get(&name)) {
                    whole[name] = value;
                } else {
                    let because = "both sides changed the field";
                    gave_way.push(line(local, Some((name, value)), because));
                }
            }
            let winner = if whole == *remote { Winner::Remote } else { Winner::Local };
            Decided { winner, content: Some(whole), gave_way }
        }
        (Some(local), None) => {
            let because = "the shop deleted the product";
            let fields = changed(base, local).into_iter();
            let lines = fields.map(|field| line(local, Some(field), because));
            let gave_way = lines.chain([line(local, None, because)]).collect();
            Decided { winner: Winner::Remote, content: None, gave_way }
        }
        (None, remote) => {
            let because = "the shop changed the product";
            let gave_way = remote.map(|remote| line(remote, None, because)).into_iter().collect();
            Decided { winner: Winner::Remote, content: remote.cloned(), gave_way }
        }
    }
}

/// The fields of a content that are not those of the base; all of them without one.
pub(super) fn changed(base: Option<&Value>, content: &Value) -> Map<String, Value> {
    let fields = content.as_object().cloned().unwrap_or_default().into_iter();
    let is_new =
        |(name, value): &(String, Value)| base.is_none_or(|base| base.get(name) != Some(value));
    fields.filter(is_new).collect()
}
