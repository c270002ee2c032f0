//! Sources that are paused: one document for each.

use mongodb::bson::{Bson, Document, bson, doc};
use sync_tracker_core::{Pause, PauseReason, PauseRequest, Result, Source, Timestamp};

use crate::error::Effect;
use crate::expression::{Now, literal};
use crate::inbox::{Entries, corrupt};
use crate::store::MongoStore;

/// The pause of a source, if it lasts.
pub(crate) fn lasting(source: &Source, now: Now) -> Document {
    let runs = bson!({ "$expr": { "$gt": ["$until", now.expression()] } });
    doc! { "_id": of_source(source), "$or": [{ "until": Bson::Null }, runs] }
}

fn of_source(source: &Source) -> Document {
    doc! { "source": source.as_str() }
}

impl MongoStore {
    /// Translates `Pause::begin`.
    pub(crate) async fn begin_pause(&self, source: &Source, request: &PauseRequest) -> Result<()> {
        let PauseRequest { span, reason } = request;
        let now = self.now_of_call();
        let begun = bson!({
            "_id": "$_id",
            "since": now.expression(),
            "until": span.map_or(Bson::Null, |span| now.plus_millis(span)),
            "reason": literal(reason.as_str()),
        });
        let update = vec![doc! { "$replaceWith": begun }];
        self.step(Entries::Pauses, of_source(source), update, true).await.map(drop)
    }

    pub(crate) async fn end_pause(&self, source: &Source) -> Result<()> {
        let (pauses, id) = (self.pauses.clone(), of_source(source));
        let delete = async move { pauses.delete_one(doc! { "_id": id }).await };
        let deleted = self.run(Effect::Write, delete).await;
        deleted.map(drop).map_err(|failed| failed.into_error(Effect::Write))
    }

    pub(crate) async fn lasting_pause(&self, source: &Source) -> Result<Option<Pause>> {
        let (pauses, lasting) = (self.pauses.clone(), lasting(source, self.now_of_call()));
        let read = async move { pauses.find_one(lasting).await };
        let found = self.run(Effect::None, read).await;
        let found = found.map_err(|failed| failed.into_error(Effect::None))?;
        found.map(|pause| read_pause(&pause)).transpose()
    }
}

fn read_pause(pause: &Document) -> Result<Pause> {
    let instant = |name: &str| match pause.get(name) {
        Some(Bson::DateTime(at)) => Timestamp::from_millis(at.timestamp_millis()).map(Some),
        Some(Bson::Null) => Ok(None),
        _ => Err(corrupt()),
    };
    Ok(Pause {
        since: instant("since")?.ok_or_else(corrupt)?,
        until: instant("until")?,
        reason: PauseReason::new(pause.get_str("reason").map_err(|_| corrupt())?),
    })
}
