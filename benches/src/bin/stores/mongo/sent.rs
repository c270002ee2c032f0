//! What the store sends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use mongodb::bson::{Bson, Document};
use mongodb::event::EventHandler;
use mongodb::event::command::CommandEvent;
use mongodb::options::ClientOptions;
use sync_tracker_benches::Failure;
use sync_tracker_benches::contest::Contestant;
use sync_tracker_benches::ours::Ours;
use sync_tracker_benches::population::Population;
use sync_tracker_benches::workload::{Numbers, Operation, PAGE, Workload};
use sync_tracker_core::ChangeId;
use sync_tracker_mongo::MongoOptions;

/// What the driver adds itself.
const BY_DRIVER: [&str; 6] =
    ["lsid", "txnNumber", "$db", "$clusterTime", "$readPreference", "apiVersion"];

/// The commands of the store.
#[derive(Debug)]
pub(crate) struct Sent(Vec<(Operation, bool, Learned)>);

/// The commands of a call about some records.
#[derive(Debug)]
struct Learned {
    commands: Vec<Document>,
    /// What the records are called.
    names: Vec<String>,
    /// What is drawn for each call.
    drawn: Vec<i64>,
}

/// What is put in the place of what was learned.
struct Replacement<'a> {
    names: HashMap<&'a str, String>,
    drawn: HashMap<i64, i64>,
}

impl Sent {
    /// Lets a store make each call twice and notes what the driver is told to send. So the commands
    /// are those of the store, whatever they are; numbers that differ are drawn for each call.
    pub(crate) async fn learn(
        options: &ClientOptions,
        database: &str,
        population: &Population,
        (numbers, batch): (&Numbers, usize),
    ) -> Result<Self, Failure> {
        let noted: Arc<Mutex<Vec<Document>>> = Arc::default();
        let mut options = options.clone();
        let notes = Arc::clone(&noted);
        options.command_event_handler = Some(EventHandler::callback(move |event| {
            if let CommandEvent::Started(started) = event {
                let mut command = started.command;
                BY_DRIVER.iter().for_each(|name| drop(command.remove(name)));
                // That of a cursor is asked for by whoever has it.
                if !command.contains_key("getMore") {
                    notes.lock().unwrap_or_else(PoisonError::into_inner).push(command);
                }
            }
        }));
        let store = MongoOptions::from_options(options).database(database.to_owned());
        let ours = Ours::new(Arc::new(store.open().await?), population.clone());
        let mut sent = Self(Vec::new());
        for operation in Operation::ALL {
            let batches: &[usize] = match operation {
                Operation::Claim => &[],
                Operation::NeedsSync => &[PAGE],
                Operation::Statistics => &[1],
                _ => &[1, batch],
            };
            for batch in batches {
                let workload = Workload { operation, batch: *batch, callers: 1 };
                let mut calls = Vec::new();
                for _ in 0..2 {
                    let records = numbers.next(workload).ok_or("nothing to learn from")?;
                    noted.lock().unwrap_or_else(PoisonError::into_inner).clear();
                    ours.call(0, workload, &records).await?;
                    let commands = noted.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    calls.push((records, commands));
                }
                sent.0.push((operation, *batch > 1, learned(population, operation, &calls)?));
            }
        }
        Ok(sent)
    }

    /// The commands of a call about other records, or about none.
    pub(crate) fn commands(
        &self,
        population: &Population,
        Workload { operation, batch, .. }: Workload,
        numbers: &[usize],
    ) -> Result<Vec<Document>, Failure> {
        let found = self.0.iter().find(|it| it.0 == operation && it.1 == (batch > 1));
        let (_, _, learned) = found.ok_or("a call that nothing was learned of")?;
        let names = names(population, operation, numbers)?;
        if names.len() != learned.names.len() {
            return Err("a batch of another size was learned".into());
        }
        let new = |from: &i64| (*from, ChangeId::random().to_bits().cast_signed());
        let replacement = Replacement {
            names: learned.names.iter().map(String::as_str).zip(names).collect(),
            drawn: learned.drawn.iter().map(new).collect(),
        };
        let mut commands = learned.commands.clone();
        for (_, value) in commands.iter_mut().flat_map(Document::iter_mut) {
            replacement.put_into(value);
        }
        Ok(commands)
    }
}

fn learned(
    population: &Population,
    operation: Operation,
    calls: &[(Vec<usize>, Vec<Document>)],
) -> Result<Learned, Failure> {
    let [(_, first), (numbers, commands)] = calls else {
        return Err("two calls are not two".into());
    };
    if first.len() != commands.len() {
        return Err("two calls of one kind send different commands".into());
    }
    let mut drawn = Vec::new();
    for (one, other) in first.iter().zip(commands) {
        differences(&one.clone().into(), &other.clone().into(), &mut drawn);
    }
    drawn.sort_unstable();
    drawn.dedup();
    Ok(Learned { commands: commands.clone(), names: names(population, operation, numbers)?, drawn })
}

/// What records are called: by their keys and by their external ids.
fn names(
    population: &Population,
    operation: Operation,
    numbers: &[usize],
) -> Result<Vec<String>, Failure> {
    let mut names = Vec::with_capacity(2 * numbers.len());
    for number in numbers {
        let key = match operation {
            Operation::Create => population.new_key(*number)?,
            _ => population.key(*number)?,
        };
        names.push(key.entity.entity_id.to_string());
        names.push(population.external_id(*number)?.to_string());
    }
    Ok(names)
}

fn differences(one: &Bson, other: &Bson, drawn: &mut Vec<i64>) {
    match (one, other) {
        (Bson::Int64(one), Bson::Int64(other)) if one != other => drawn.push(*other),
        (Bson::Array(one), Bson::Array(other)) => {
            one.iter().zip(other).for_each(|(one, other)| differences(one, other, drawn));
        }
        (Bson::Document(one), Bson::Document(other)) => {
            let both = one.values().zip(other.values());
            both.for_each(|(one, other)| differences(one, other, drawn));
        }
        _ => {}
    }
}

impl Replacement<'_> {
    fn put_into(&self, value: &mut Bson) {
        match value {
            Bson::String(text) => {
                if let Some(new) = self.names.get(text.as_str()) {
                    text.clone_from(new);
                }
            }
            Bson::Int64(number) => {
                if let Some(new) = self.drawn.get(number) {
                    *number = *new;
                }
            }
            Bson::Array(values) => values.iter_mut().for_each(|it| self.put_into(it)),
            Bson::Document(values) => values.iter_mut().for_each(|(_, it)| self.put_into(it)),
            _ => {}
        }
    }
}
