//! What is asked of documents, and how answers are read.

use mongodb::bson::{Document, RawDocument, RawDocumentBuf, doc};
use sync_tracker_core::{Result, SyncRecord, Timestamp};

use crate::document;
use crate::error::unexpected;

/// A record, and the server's time beside it.
pub(crate) fn with_time() -> Document {
    doc! { "_id": 0, "now": "$$NOW", "record": "$$ROOT" }
}

/// Takes apart what is read so.
pub(crate) fn timed(answer: &RawDocument) -> Result<(Timestamp, &RawDocument)> {
    let now = answer.get_datetime("now").map_err(|_| unexpected())?;
    let record = answer.get_document("record").map_err(|_| unexpected())?;
    Ok((Timestamp::from_millis(now.timestamp_millis())?, record))
}

/// Takes apart what a write gives back. To a write that the driver sends again the server gives the
/// document that the first one left, without the time: it was applied.
pub(crate) fn written(answer: &RawDocument) -> Result<(Timestamp, &RawDocument)> {
    match answer.get("_id").map_err(|_| unexpected())? {
        Some(_) => Ok((Timestamp::MIN, answer)),
        None => timed(answer),
    }
}

pub(crate) fn records(documents: &[RawDocumentBuf]) -> Result<Vec<SyncRecord>> {
    documents.iter().map(|document| document::decode(document)).collect()
}
