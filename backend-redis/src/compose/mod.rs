//! The script that carries one change to the server, or several of its shape: the text is composed
//! of what occurs in the change, its values are arguments.
//!
//! Translates `Change::settle` of core into statements on a `field`, the record there as it is stored
//! (`old`, or false), and where the arguments of the change begin (`at`). They come to a
//! [state](State) and what belongs to it (`text`), and to what is to be written: nothing is, before
//! all is decided.

mod guard;
mod ops;
mod patch;

use std::fmt::Write;

use sync_tracker_core::{Arm, Change, Guard, RecentChanges, Result, SyncRecord, Timestamp};

use crate::lua::{self, fill};

/// What a script is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Target {
    /// Some keys of one source. Arguments: the clock; then for each the field, the id of the change
    /// and its values.
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

/// How many arguments come before the values of a change: its field and its id.
const BEFORE_VALUES: usize = 2;

/// Collects the values that the arms take, and says how each is written.
#[derive(Default)]
struct Params {
    all: Vec<Param>,
    /// Where the values are that come again, if they do.
    again: Option<usize>,
}

impl Params {
    fn add(&mut self, arm: usize, get: Get) -> String {
        let place = self.again.unwrap_or(self.all.len());
        match &mut self.again {
            Some(next) => *next += 1,
            None => self.all.push(Param { arm, get }),
        }
        format!("ARGV[at + {}]", BEFORE_VALUES + place)
    }
}

/// The change whose shape and values are those of a removal.
pub(crate) fn removal(guard: &Guard) -> Result<Change> {
    Change::new([Arm { when: guard.clone(), ..Arm::default() }])
}

/// Composes the script of a change.
pub(crate) fn compose(change: &Change, target: Target) -> Composed {
    let mut params = Params::default();
    let mut arms = String::new();
    // Where the values of the patch of each arm begin.
    let mut begins = Vec::new();
    for (number, arm) in change.arms().iter().enumerate() {
        if arm.when.exists == Some(false) {
            begins.push(None);
            continue;
        }
        let word = if arms.is_empty() { "if" } else { "elseif" };
        let guard = guard::on_record(&arm.when, number, &mut params);
        let _ = writeln!(arms, "{word} {guard} then\narm = {number}");
        begins.push(Some(params.all.len()));
        if target != Target::Removal {
            patch::carry_out(&arm.then, &mut arms, number, &mut params);
        }
    }
    if !arms.is_empty() {
        arms.push_str("end\n");
    }
    let may_create = match target {
        Target::Keys => made(change.arms(), &begins, &mut params),
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
    let width = (BEFORE_VALUES + params.all.len()).to_string();
    let tail = tail.replace("WIDTH", &width).replace("WRITE", lua::WRITE);
    let text =
        [lua::HEAD, lua::CLOCK, lua::WRITES, &ops::used_in(&carry), &tail.replace("CARRY", &carry)]
            .concat();
    Composed { text: fill(&text), params: params.all, may_create: may_create.is_some() }
}

/// What the first arm that holds on a key without record makes there. No demand on a value does,
/// so which one that is does not depend on values.
fn made(arms: &[Arm], begins: &[Option<usize>], params: &mut Params) -> Option<String> {
    let number = arms.iter().position(|arm| arm.when.holds(None, Timestamp::MIN))?;
    params.again = begins.get(number).copied().flatten();
    let mut text = format!("arm = {number}\n");
    patch::carry_out(&arms.get(number)?.then, &mut text, number, params);
    Some(text)
}

const UNBORN: &str = "$incarnation = math.max(1, now)
$revision, $synced_revision, $created_at, $attempts, $in_doubt = 0, 0, now, 0, false
$token, $version, $recent_changes, ties = 0, 0, '', ''
";

/// What ties a record to the other side is taken apart where a statement is about it.
const TIED: [&str; 5] = ["$aliases", "$remote_version", "$remote_seen", "$base", "$echoes"];

const PACK_TIES: &str = "if $aliases or $remote_version or $remote_seen or $base or $echoes then
ties = cmsgpack.pack($aliases, $remote_version, $remote_seen, $base, $echoes)
else ties = '' end";

/// Translates `Change::settle` for a change of the record.
fn changing(arms: &str, made: Option<&str>) -> String {
    let is_tied = |text: &str| TIED.iter().any(|field| text.contains(field));
    let is_tied = is_tied(arms) || made.is_some_and(is_tied);
    let made = made.map_or_else(String::new, |made| format!("else\n{UNBORN}{made}"));
    let (ring, most) = (RecentChanges::CAPACITY * 8, SyncRecord::MAX_ALIASES);
    let (decode, before, after, index) = (lua::DECODE, lua::BEFORE, lua::AFTER, lua::INDEX);
    let aliases = format!("{}was_aliases = $aliases", lua::TIES);
    let (take_apart, many, ids, put_together) = match is_tied {
        true => (lua::TIES, format!(" or $aliases and #$aliases > {most}"), "", PACK_TIES),
        false => ("", String::new(), &*aliases, ""),
    };
    let ids = lua::IDS.replace("OF_TIES", ids);
    let encode = lua::ENCODE.replace("OF_TIES", put_together);
    let declare = lua::DECLARE;
    format!(
        "{declare}local change = ARGV[at + 1]
local arm, dirty, synced
if old then
{decode}{take_apart}local from = find($recent_changes, change, 1, true)
while from and from % 8 ~= 1 do from = find($recent_changes, change, from + 1, true) end
if from then
state, text = -1, old
break
end
{before}dirty, synced = $revision > $synced_revision, $synced_revision
{arms}{made}end
if not arm{many} then
state, text = -2, old
break
end
if $revision <= $synced_revision then
$pending_since = nil
elseif not dirty or synced ~= $synced_revision then
$pending_since = now
end
{after}{ids}$version = $version + 1
if #$recent_changes >= {ring} then $recent_changes = sub($recent_changes, 9) end
$recent_changes = $recent_changes .. change
$last_arm = arm
{encode}{index}if not old then
local n = #new
new[n + 1], new[n + 2] = 0, 'k' .. field
end
local n = #sets
sets[n + 1], sets[n + 2] = field, text
state = arm
until true
"
    )
}

/// Translates `Ledger::remove`. Nothing remembers a removal.
fn removing(arms: &str) -> String {
    let (declare, decode, ties) = (lua::DECLARE, lua::DECODE, lua::TIES);
    let (before, ids, index) = (lua::BEFORE, lua::IDS.replace("OF_TIES", ""), lua::INDEX);
    format!(
        "{declare}local arm
if not old then
state, text = -4, false
break
end
{decode}{ties}{before}{arms}if not arm then
state, text = -2, old
break
end
$external_id, $aliases, $deleted_at, $lease_claim = nil, nil, nil, nil
{ids}{index}out[#out + 1] = 'k' .. field
holders = holders or {{}}
holders[field] = false
state, text = arm, old
until true
"
    )
}

/// The script of an import, which makes a record what it is told.
pub(crate) fn import() -> String {
    let none = "$deleted_at, $remote_deleted_at, $held_kind, $held_since, $failure_class, \
                $failure_code, $failure_message, $failure_first_at, $failure_last_at, $retry_at, \
                $lease_claim, $lease_until, $conflict_kind, $conflict_since, $aliases, \
                $remote_version, $remote_seen, $base, $echoes = nil";
    let put = lua::PUT
        .replace("DECLARE", lua::DECLARE)
        .replace("DECODE", lua::DECODE)
        .replace("TIES", lua::TIES)
        .replace("BEFORE", lua::BEFORE)
        .replace("RESET", none)
        .replace("AFTER", lua::AFTER)
        .replace("IDS", &lua::IDS.replace("OF_TIES", ""))
        .replace("INDEX", lua::INDEX)
        .replace("WRITE", lua::WRITE);
    fill(&[lua::HEAD, lua::WRITES, &put].concat())
}
