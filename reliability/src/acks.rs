//! What a writer was told to be done, one line of JSON each.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// An acknowledged write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// The writer, from 0.
    pub writer: u32,
    /// The entity of the writer, from 0.
    pub entity: u32,
    /// What was written.
    pub write: Write,
}

/// The writes, each of which leaves a trace that no later one of the writer takes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Write {
    /// A local change: the record has at least this revision.
    Revision(u64),
    /// A success: at least this revision is synced.
    Synced(u64),
    /// A message of the inbox, whose number is the entity's, is done.
    Handled,
    /// The checkpoint of the writer stands at this entity or a later one.
    Checkpoint,
}

/// What a writer was told of each entity, and in all.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Acked {
    /// By writer and entity: revision, synced revision, and whether the message is done.
    pub entities: BTreeMap<(u32, u32), Entity>,
    /// By writer, the entity that its checkpoint stands at.
    pub checkpoints: BTreeMap<u32, u32>,
    /// How many writes were acknowledged.
    pub count: u64,
}

/// What was acknowledged of one entity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entity {
    /// The highest revision.
    pub revision: u64,
    /// The highest synced revision.
    pub synced: u64,
    /// Whether its message is done.
    pub handled: bool,
}

impl Acked {
    /// Reads lines of acknowledgements. A last line that was cut off was not told to anybody.
    ///
    /// # Errors
    ///
    /// Any other line that is none.
    pub fn parse(text: &str) -> serde_json::Result<Self> {
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let mut acked = Self::default();
        for line in whole.lines() {
            acked.add(serde_json::from_str(line)?);
        }
        Ok(acked)
    }

    /// Takes note of one.
    pub fn add(&mut self, ack: Ack) {
        let Ack { writer, entity, write } = ack;
        let noted = self.entities.entry((writer, entity)).or_default();
        match write {
            Write::Revision(at) => noted.revision = noted.revision.max(at),
            Write::Synced(at) => noted.synced = noted.synced.max(at),
            Write::Handled => noted.handled = true,
            Write::Checkpoint => {
                let at = self.checkpoints.entry(writer).or_default();
                *at = entity.max(*at);
            }
        }
        self.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_off_is_no_acknowledgement() {
        let line = |write| serde_json::to_string(&Ack { writer: 1, entity: 2, write }).unwrap();
        let text = format!("{}\n{}\n", line(Write::Revision(1)), line(Write::Handled));
        let whole = Acked::parse(&text).unwrap();
        assert_eq!(whole.entities[&(1, 2)], Entity { revision: 1, synced: 0, handled: true });
        assert_eq!(Acked::parse(&format!("{text}{{\"writer\":1,")).unwrap(), whole);
        assert_eq!(Acked::parse("{}").unwrap(), Acked::default());
        assert!(Acked::parse("{}\n").is_err());
    }
}
