//! Records that are not there yet: those of changes that are alike are made by one `aggregate`,
//! which leaves a record that has come meanwhile as it is.

use mongodb::bson::{Document, RawArrayBuf, RawDocumentBuf, cstr, doc, rawdoc};
use sync_tracker_core::{ChangeId, Result};

use super::load::{Valued, encoded, kinds, parts, valued};
use super::{Answers, Found, Item, LARGEST, LARGEST_BYTES, Open, perhaps_applied};
use crate::compose::{ITEM, Shared, Write, compose_made};
use crate::error::{self, Effect};
use crate::server::Failed;
use crate::store::MongoStore;
use crate::value;

/// Which records were there after a command that makes them.
#[derive(Clone, Copy)]
enum Made {
    All,
    /// Perhaps none.
    Some,
}

impl MongoStore {
    pub(super) async fn make_all<'a>(
        &self,
        absent: &[Item<'a>],
        call: ChangeId,
        open: &mut Open<'a>,
        answers: &mut Answers,
    ) {
        let write = Write { call, in_batch: true };
        for items in kinds(absent) {
            let Some(first) = items.first() else { continue };
            let Some(made) = compose_made(first.change, write, self.now_of_call()) else {
                open.applicable.extend(items);
                continue;
            };
            let members = match valued(&items, &made.params) {
                Ok(members) => members,
                Err(failed) => {
                    answers.fail(&items, &failed);
                    continue;
                }
            };
            for part in parts(members, LARGEST, LARGEST_BYTES) {
                self.make_part(part, &made, call, open, answers).await;
            }
        }
    }

    async fn make_part<'a>(
        &self,
        part: Vec<Valued<'a>>,
        made: &Shared,
        call: ChangeId,
        open: &mut Open<'a>,
        answers: &mut Answers,
    ) {
        let items: Vec<_> = part.iter().map(|it| it.item).collect();
        let made = match self.make_records(part, &made.pipeline).await {
            Ok(made) => self.read_back(&items, call).await.map(|found| (made, found)),
            Err(failed) => Err(failed),
        };
        let (made, mut found) = match made {
            Ok(made) => made,
            Err(failed) => return answers.fail(&items, &failed),
        };
        for item in items {
            match (found.of(item), made) {
                (Found::Told(outcome), _) => answers.note(item, Ok(*outcome)),
                (Found::Absent, Made::All) => answers.note(item, Err(perhaps_applied())),
                (Found::Absent, Made::Some) | (Found::Applicable, _) => open.applicable.push(item),
            }
        }
    }

    async fn make_records(&self, members: Vec<Valued<'_>>, pipeline: &[Document]) -> Result<Made> {
        let mut documents = RawArrayBuf::new();
        for Valued { item, values } in members {
            let mut document = encoded(&doc! { "_id": value::key(item.key) })?;
            document.append(ITEM, values);
            documents.push(document);
        }
        let mut stages = RawArrayBuf::new();
        // One document out of none. `$documents` would be simpler, and asks for a right on all
        // collections of the database.
        stages.push(rawdoc! { "$match": { "_id": { "$in": [] } } });
        stages.push(rawdoc! { "$facet": { "none": [{ "$limit": 1 }] } });
        stages.push(rawdoc! { "$project": { "made": { "$literal": documents } } });
        stages.push(rawdoc! { "$unwind": "$made" });
        stages.push(rawdoc! { "$replaceWith": "$made" });
        for stage in pipeline {
            stages.push(encoded(stage)?);
        }
        stages.push(rawdoc! { "$merge": {
            "into": self.records.name(),
            "whenMatched": "keepExisting",
            "whenNotMatched": "insert",
        } });
        let mut command = RawDocumentBuf::new();
        command.append(cstr!("aggregate"), self.records.name());
        command.append(cstr!("pipeline"), stages);
        command.append(cstr!("cursor"), RawDocumentBuf::new());
        command.append(cstr!("writeConcern"), self.encoded_write_concern()?);
        let database = self.database.clone();
        let make = async move { database.run_raw_command(command).await };
        match self.run(Effect::Write, make).await {
            Ok(answer) if answer.contains_key("writeConcernError") => Err(error::unacknowledged()),
            Ok(_) => Ok(Made::All),
            // Of an external id that is taken, or since the user may not do this.
            Err(Failed::Refused(cause)) if error::is_refusal(&cause) => Ok(Made::Some),
            Err(failed) => Err(failed.into_error(Effect::Write)),
        }
    }
}
