//! The script that carries one change to the server, or several of its shape: the text is composed
//! of what occurs in the change, its values are arguments.
//!
//! Translates `Change::settle` of core into a function `carry(kind, entity, old, at)`: of the key,
//! the record as it is stored, and where the arguments of the change begin. It answers a
//! [state](State) and what belongs to it.

mod guard;
mod ops;
mod patch;

use std::fmt::Write;

use sync_tracker_core::{Arm, Change, Guard, RecentChanges, Result, SyncRecord, Timestamp};

use crate::lua::{self, fill};

/// What a script is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Target {
    /// Some keys of one source. Arguments: the clock; then for each the entity type, the entity id,
    /// the id of the change and its values.
    Keys,
    /// The same; a record is removed if the only arm holds.
    Removal,
    /// What a claim takes.
    Claim,
}

/// How a value of an arm is got, as an argument. None is no bytes.
type Get = fn(&Arm) -> Vec<u8>;

/// A value that a script takes from an arm.
#[derive(Clone, Copy)]
pub(crate) struct Param {
    arm: usize,
    get: Get,
}

impl Param {
    /// The value in a change of the shape that the script was composed for.
    pub(crate) fn of(&self, change: &Change) -> Vec<u8> {
        change.arms().get(self.arm).map_or_else(Vec::new, self.get)
    }
}

/// A composed script.
pub(crate) struct Composed {
    pub(crate) text: String,
    pub(crate) params: Vec<Param>,
    /// Whether an arm holds on a key without record.
    pub(crate) may_create: bool,
}

/// What became of a change: an arm, or one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The change is in the record, which follows.
    Applied,
    /// It was applied before. The record follows.
    Replayed,
    /// No arm holds, or there would be too many aliases. The record follows, if there is one.
    Refused,
    /// Another entity holds an id of it. The record follows, if there is one; the id; the holder.
    Taken,
    /// There was nothing to remove.
    Absent,
}

impl State {
    pub(crate) fn of(number: i64) -> Option<Self> {
        Some(match number {
            0.. => Self::Applied,
            -1 => Self::Replayed,
            -2 => Self::Refused,
            -3 => Self::Taken,
            -4 => Self::Absent,
            _ => return None,
        })
    }
}

/// How many arguments come before the values of a change: its key and its id.
const BEFORE_VALUES: usize = 3;

/// Collects the values that the arms take, and says how each is written.
struct Params(Vec<Param>);

impl Params {
    fn add(&mut self, arm: usize, get: Get) -> String {
        self.0.push(Param { arm, get });
        format!("ARGV[at + {}]", BEFORE_VALUES + self.0.len() - 1)
    }
}

/// The change whose shape and values are those of a removal.
pub(crate) fn removal(guard: &Guard) -> Result<Change> {
    Change::new([Arm { when: guard.clone(), ..Arm::default() }])
}

/// Composes the script of a change.
pub(crate) fn compose(change: &Change, target: Target) -> Composed {
    let mut params = Params(Vec::new());
    let mut arms = String::new();
    for (number, arm) in change.arms().iter().enumerate() {
        let word = if number == 0 { "if" } else { "elseif" };
        let guard = guard::on_record(&arm.when, number, &mut params);
        let _ = writeln!(arms, "{word} {guard} then\narm = {number}");
        if target != Target::Removal {
            patch::carry_out(&arm.then, &mut arms, number, &mut params);
        }
    }
    arms.push_str("end\n");
    let may_create = match target {
        Target::Keys => made(change.arms(), &mut params),
        Target::Removal | Target::Claim => None,
    };
    let carry = match target {
        Target::Removal => removing(&arms),
        Target::Keys | Target::Claim => changing(&arms, may_create.as_deref()),
    };
    let tail = match target {
        Target::Keys | Target::Removal => lua::APPLY,
        Target::Claim => lua::CLAIM,
    };
    let width = (BEFORE_VALUES + params.0.len()).to_string();
    let text = [
        lua::HEAD,
        lua::CLOCK,
        lua::RECORD,
        lua::INDEXES,
        lua::CARRY,
        &ops::used_in(&carry),
        &carry,
        &tail.replace("WIDTH", &width),
    ]
    .concat();
    Composed { text: fill(&text), params: params.0, may_create: may_create.is_some() }
}

/// What the first arm that holds on a key without record makes there. No demand on a value does,
/// so which one that is does not depend on values.
fn made(arms: &[Arm], params: &mut Params) -> Option<String> {
    let number = arms.iter().position(|arm| arm.when.holds(None, Timestamp::MIN))?;
    let mut text = format!("arm = {number}\n");
    patch::carry_out(&arms.get(number)?.then, &mut text, number, params);
    Some(text)
}

const UNBORN: &str = "r = {true, 1}
$incarnation = math.max(1, now)
$revision, $synced_revision, $created_at, $attempts, $in_doubt = 0, 0, now, 0, false
$token, $version, $recent_changes = 0, 0, ''
";

/// Translates `Change::settle` for a change of the record.
fn changing(arms: &str, made: Option<&str>) -> String {
    let made = made.map_or_else(String::new, |made| format!("else\n{UNBORN}{made}"));
    let (ring, most) = (RecentChanges::CAPACITY * 8, SyncRecord::MAX_ALIASES);
    format!(
        "local function carry(kind, entity, old, at)
local r, before, arm, dirty, synced
local change = ARGV[at + 2]
if old then
r = decode(old)
if within($recent_changes, change) then return -1, old end
before = indexed(r)
dirty, synced = $revision > $synced_revision, $synced_revision
{arms}{made}end
if not arm or $aliases and #$aliases > {most} then return -2, old end
if $revision <= $synced_revision then
$pending_since = nil
elseif not dirty or synced ~= $synced_revision then
$pending_since = now
end
$version = $version + 1
if #$recent_changes >= {ring} then $recent_changes = sub($recent_changes, 9) end
$recent_changes = $recent_changes .. change
$last_arm = arm
local text = encode(r)
local id, by = keep(kind, entity, before, indexed(r), text)
if id then return -3, old, id, by end
return arm, text
end
"
    )
}

/// Translates `Ledger::remove`. Nothing remembers a removal.
fn removing(arms: &str) -> String {
    format!(
        "local function carry(kind, entity, old, at)
local arm
if not old then return -4, false end
local r = decode(old)
local before = indexed(r)
{arms}if not arm then return -2, old end
keep(kind, entity, before, nil)
return arm, old
end
"
    )
}
