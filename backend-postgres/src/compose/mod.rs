//! The statement that carries one change to the server: the text is composed of what occurs in the
//! change, its values are bound.
//!
//! Translates `Change::settle` of core. A statement has these parts:
//!
//! - `d`: the records as they are, locked, with the store's time read under the lock, the arm that
//!   holds (-1: applied before, -2: none), and whether the ids that would be held are free;
//! - `n`: those that are made, if an arm holds on a key without record. An insertion that meets
//!   another one does nothing, and gives no row: the statement is sent again;
//! - `u`: those that are changed.
//!
//! The answer is a row per record; [`State`] says what became of it. No row: absent, or met by
//! another insertion.

mod draft;
mod guard;
mod patch;
mod rows;

use std::fmt::Write;

use sync_tracker_core::{Arm, Change, Guard, Result, SyncRecord, Timestamp};

use self::draft::Draft;
use crate::row::{columns_of, sent_of};
use crate::value::{Kind, Value};

/// The store's time where a statement reads it: the explicit clock, or the server's.
pub(crate) fn clock(parameter: &str) -> String {
    format!(
        "coalesce({parameter}::bigint, \
         floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint)"
    )
}

/// What a statement is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Target {
    /// One key. Bound first: its three parts, the id of the change, the clock.
    One,
    /// The same; the record is removed if the only arm holds.
    Removal,
    /// Many keys, each with the values of its change. Bound first: the clock; then as arrays the
    /// three parts of the keys and the ids of the changes.
    Many,
    /// What a claim takes. Bound first: the source, the id of the change, the clock, the limit, the
    /// claim. It takes at most as many as this says, which tells the planner that it is few.
    Claim(u16),
}

impl Target {
    /// How many parameters come before those of the arms.
    const FIXED: usize = 5;

    fn change_id(self) -> &'static str {
        match self {
            Self::One | Self::Removal => "$4::bigint",
            Self::Many => "o.change_id",
            Self::Claim(_) => "$2::bigint",
        }
    }

    fn clock(self) -> String {
        clock(match self {
            Self::One | Self::Removal => "$5",
            Self::Many => "$1",
            Self::Claim(_) => "$3",
        })
    }
}

/// How a value of an arm is got.
type Get = for<'a> fn(&'a Arm) -> Value<'a>;

/// A value that a statement takes from an arm.
#[derive(Clone, Copy)]
pub(crate) struct Param {
    arm: usize,
    pub(crate) kind: Kind,
    get: Get,
}

impl Param {
    /// The value in a change of the shape that the statement was composed for.
    pub(crate) fn of<'a>(&self, change: &'a Change) -> Value<'a> {
        change.arms().get(self.arm).map_or(Value::Int(None), self.get)
    }
}

/// A composed statement.
pub(crate) struct Composed {
    /// With the names of tables in braces.
    pub(crate) text: String,
    pub(crate) params: Vec<Param>,
    /// Whether an arm holds on a key without record.
    pub(crate) may_create: bool,
}

/// What a row of the answer says; its number is the first column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The change is in the record, which follows.
    Applied,
    /// It was applied before. The record follows.
    Replayed,
    /// It is refused. The record follows.
    Refused,
    /// No record is made, since another entity holds an id of it.
    NotMade,
    /// A live lease of the same claim.
    Granted,
}

impl State {
    pub(crate) fn of(number: i32) -> Option<Self> {
        let all = [Self::Applied, Self::Replayed, Self::Refused, Self::NotMade, Self::Granted];
        usize::try_from(number).ok().and_then(|number| all.get(number).copied())
    }
}

/// Collects the parameters of the arms, and says how each is written.
struct Params {
    target: Target,
    params: Vec<Param>,
}

impl Params {
    fn add(&mut self, arm: usize, kind: Kind, get: Get) -> String {
        self.params.push(Param { arm, kind, get });
        let number = self.params.len();
        match self.target {
            Target::Many => format!("o.p{number}"),
            Target::One | Target::Removal | Target::Claim(_) => {
                format!("${}::{}", Target::FIXED + number, kind.as_sql())
            }
        }
    }
}

/// The change whose shape and values are those of a removal.
pub(crate) fn removal(guard: &Guard) -> Result<Change> {
    Change::new([Arm { when: guard.clone(), ..Arm::default() }])
}

/// Composes the statement of a change.
pub(crate) fn compose(change: &Change, target: Target) -> Composed {
    let mut params = Params { target, params: Vec::new() };
    let mut choice = match target {
        // Nothing remembers a removal.
        Target::Removal => "CASE".to_owned(),
        _ => format!("CASE WHEN {} THEN -1", remembers("o", target.change_id())),
    };
    let mut drafts = Vec::new();
    for (number, arm) in change.arms().iter().enumerate() {
        let guard = guard::on_record(&arm.when, number, &mut params);
        let _ = write!(choice, " WHEN {guard} THEN {number}");
        let mut draft = Draft::of_record();
        if target != Target::Removal {
            patch::carry_out(&arm.then, &mut draft, number, &mut params);
            patch::derive(&mut draft, number, target.change_id());
        }
        drafts.push(draft);
    }
    choice.push_str(" ELSE -2 END");
    let made = match target {
        Target::One | Target::Many => made(change.arms(), &mut params),
        Target::Removal | Target::Claim(_) => None,
    };

    let (before, rows) = rows::locked(target, &params.params);
    let (ids, may) = match target {
        Target::Removal => (String::new(), draft::release()),
        _ => draft::permission(&drafts),
    };
    let clock = target.clock();
    let order = match target {
        // Ids are given out in the order of the items.
        Target::Many => " ORDER BY l.ord",
        Target::One | Target::Removal | Target::Claim(_) => "",
    };
    let mut text = format!(
        "WITH {before}d AS MATERIALIZED (\n\
         SELECT o.*, {may} AS ok FROM (\n\
         SELECT o.*{ids} FROM (\n\
         SELECT o.*, {choice} AS arm FROM (\n\
         SELECT l.*, {clock} AS now FROM (\n{rows}\n) l{order} OFFSET 0\n\
         ) o OFFSET 0) o OFFSET 0) o)"
    );
    if let Some(draft) = &made {
        text.push_str(&inserted(target, draft));
    }
    text.push_str(&written(target, &drafts));
    text.push_str(&answer(target, made.as_ref()));
    Composed { text, params: params.params, may_create: made.is_some() }
}

/// What the first arm that holds on a key without record makes there. No demand on a value does,
/// so which one that is does not depend on values.
fn made(arms: &[Arm], params: &mut Params) -> Option<Draft> {
    let number = arms.iter().position(|arm| arm.when.holds(None, Timestamp::MIN))?;
    let mut draft = Draft::unborn();
    patch::carry_out(&arms.get(number)?.then, &mut draft, number, params);
    patch::derive(&mut draft, number, params.target.change_id());
    Some(draft)
}

/// Whether a record has seen a change. Eight random bytes that begin within another id are as
/// unlikely as an id that is drawn twice.
fn remembers(record: &str, change_id: &str) -> String {
    format!("position(int8send({change_id}) IN {record}.recent_changes) > 0")
}

/// That `r` is the record of the key in a row of many. An array of one means what `=` does, but
/// can only be looked up, by the key. The server knows nothing of what is in the rows, and where
/// they are all of one source it would think little of comparing each with all records of that.
pub(crate) fn each_of(rows: &str) -> String {
    let same = |column| format!("r.{column} = ANY (ARRAY[{rows}.{column}])");
    ["source", "entity_type", "entity_id"].map(same).join(" AND ")
}

fn same_key(target: Target) -> String {
    match target {
        Target::Many => each_of("o"),
        Target::One | Target::Removal | Target::Claim(_) => {
            "r.source = o.source AND r.entity_type = o.entity_type AND r.entity_id = o.entity_id"
                .into()
        }
    }
}

fn written(target: Target, drafts: &[Draft]) -> String {
    let returning = columns_of("r");
    let same_key = same_key(target);
    if target == Target::Removal {
        return format!(
            ",\nu AS (DELETE FROM {{records}} r USING d o WHERE o.ok AND {same_key} \
             RETURNING o.ord, o.now, {returning})"
        );
    }
    let set = draft::assignments(drafts);
    format!(
        ",\nu AS (UPDATE {{records}} r SET {set} FROM d o WHERE o.ok AND {same_key} \
         RETURNING o.ord, o.now, {returning})"
    )
}

fn inserted(target: Target, draft: &Draft) -> String {
    let absent = match target {
        Target::Many => format!(
            "SELECT i.*, {} AS now FROM i WHERE i.ord NOT IN (SELECT d.ord FROM d) \
             ORDER BY i.source, i.entity_type, i.entity_id OFFSET 0",
            target.clock()
        ),
        _ => format!(
            "SELECT $1::text AS source, $2::text AS entity_type, $3::text AS entity_id, \
             {} AS now WHERE NOT EXISTS (SELECT FROM d) OFFSET 0",
            target.clock()
        ),
    };
    let (columns, values) = draft.whole();
    format!(
        ",\nn AS (INSERT INTO {{records}} AS r (source, entity_type, entity_id, {columns}) \
         SELECT o.source, o.entity_type, o.entity_id, {values} FROM ({absent}) o \
         ON CONFLICT (source, entity_type, entity_id) DO NOTHING RETURNING r.*)"
    )
}

/// The server carries out `n` and `u` in the order in which the answer reads them. Updates come last,
/// by whoever has nothing more to wait for: an insertion waits until they are committed, if it meets
/// their record.
fn answer(target: Target, made: Option<&Draft>) -> String {
    let mut answer = "\n".to_owned();
    if let Some(draft) = made {
        let state = draft.hold_if_new();
        let columns = sent_of("n");
        // What is new tells no place, but its key does.
        let _ = write!(answer, "SELECT {state}, 0, n.created_at, {columns} FROM n UNION ALL ");
    }
    let _ = write!(
        answer,
        "SELECT 0, u.ord, u.now, {} FROM u \
         UNION ALL SELECT CASE WHEN d.arm = -1 THEN 1 ELSE 2 END, d.ord, d.now, {} FROM d \
         WHERE NOT d.ok",
        sent_of("u"),
        sent_of("d"),
    );
    if matches!(target, Target::Claim(_)) {
        let columns = sent_of("m");
        let _ = write!(answer, " UNION ALL SELECT 4, 0, 0, {columns} FROM m");
    }
    answer
}

/// The most ids that a record may have beside its own.
const MAX_ALIASES: usize = SyncRecord::MAX_ALIASES;
