//! The update that carries one change to the server: a pipeline, composed of what occurs in the
//! change.
//!
//! Translates `Change::settle` of core, but for external ids that others hold, which is for a
//! unique index to decide.

mod draft;
mod guard;
mod patch;
mod values;

use mongodb::bson::{Bson, Document, bson, doc};
use sync_tracker_core::{Arm, Change, Guard, HeldKind, Result, Status, SyncRecord, Timestamp};

pub(crate) use self::draft::{BATCH_CALLS, Write};
use self::draft::{BEFORE, Draft};
use self::values::Values;
pub(crate) use self::values::{ITEM, Likeness, Params};
use crate::expression::{
    Now, all, any, cond, equal, greater, is_in, joined, length, not, present, switch, unequal,
};
use crate::value::{held_kind, whole};

/// A composed update.
pub(crate) struct Composed {
    pub(crate) pipeline: Vec<Document>,
    /// Whether an arm holds on a key without record.
    pub(crate) may_create: bool,
}

/// An update for changes that are [alike](Likeness), and what it reads from the item of each.
pub(crate) struct Shared {
    pub(crate) pipeline: Vec<Document>,
    pub(crate) params: Params,
}

/// What the number of an arm is if none is carried out: it was before, or none holds.
const NO_ARM: i64 = -1;
/// What the number of the arm is that makes a record.
const NEW: usize = Change::MAX_ARMS;

/// Composes the update of a change.
pub(crate) fn compose(change: &Change, write: Write, now: Now) -> Composed {
    let mut values = Values::inline(change);
    let (mut arm, mut arms) = on_record(change, write, now, &mut values);
    let made = made(change.arms(), write, now, &mut values);
    let may_create = made.is_some();
    if let Some(made) = made {
        let is_new = equal(bson!({ "$type": "$version" }), "missing".into());
        arm = cond(is_new, Bson::Int64(whole(NEW)), arm);
        arms.push((is_arm(NEW), made));
    }
    let mut pipeline = vec![doc! { "$replaceWith": { "before": "$$ROOT", "arm": arm } }];
    pipeline.extend(after(switch(arms, bson!({}))));
    Composed { pipeline, may_create }
}

/// Composes what a change does to a record that is there, which has the values as its
/// [item](ITEM) meanwhile.
pub(crate) fn compose_shared(change: &Change, write: Write, now: Now) -> Shared {
    let mut values = Values::of_item(change);
    let (arm, arms) = on_record(change, write, now, &mut values);
    let item = path_of_item();
    let mut pipeline =
        vec![doc! { "$replaceWith": { "before": "$$ROOT", "arm": arm, ITEM.as_str(): item } }];
    pipeline.extend(after(switch(arms, bson!({}))));
    pipeline.push(doc! { "$unset": ITEM.as_str() });
    Shared { pipeline, params: values.into_params() }
}

/// Composes the record that a change makes, out of a document with its `_id` and the values as its
/// [item](ITEM). Nothing if the change makes none.
pub(crate) fn compose_made(change: &Change, write: Write, now: Now) -> Option<Shared> {
    let mut values = Values::of_item(change);
    let made = made(change.arms(), write, now, &mut values)?;
    let (before, item) = (bson!({ "_id": "$_id" }), path_of_item());
    let arm = Bson::Int64(whole(NEW));
    let mut pipeline =
        vec![doc! { "$replaceWith": { "before": before, "arm": arm, ITEM.as_str(): item } }];
    pipeline.extend(after(made));
    Some(Shared { pipeline, params: values.into_params() })
}

fn path_of_item() -> String {
    format!("${}", ITEM.as_str())
}

/// Which arm is carried out on a record that is there, and what each changes.
fn on_record(
    change: &Change,
    write: Write,
    now: Now,
    values: &mut Values<'_>,
) -> (Bson, Vec<(Bson, Bson)>) {
    let mut guards = vec![(remembers(values), Bson::Int64(NO_ARM))];
    let mut arms = Vec::new();
    for (number, Arm { when, then }) in change.arms().iter().enumerate() {
        values.turn_to(number);
        guards.push((guard::on_record(when, now, values), Bson::Int64(whole(number))));
        let mut draft = Draft::of_record();
        patch::carry_out(then, &mut draft, now, values);
        arms.push((is_arm(number), draft.derived(write, number, now, values)));
    }
    (switch(guards, Bson::Int64(NO_ARM)), arms)
}

fn is_arm(number: usize) -> Bson {
    equal("$arm".into(), Bson::Int64(whole(number)))
}

/// The stages that make the changed fields, derive the others, and keep the record as it was if
/// nothing fits.
fn after(changed: Bson) -> [Document; 4] {
    [
        doc! { "$set": { "after": { "$mergeObjects": [BEFORE, changed] } } },
        doc! { "$set": { "after.status": status(), "after.known_ids": known_ids() } },
        doc! { "$set": { "after.due_at": due_at(), "after.holds_ids": holds_ids() } },
        doc! { "$replaceWith": cond(is_applied(), "$after".into(), BEFORE.into()) },
    ]
}

/// The condition of a removal.
pub(crate) fn condition(guard: &Guard, now: Now) -> Result<Bson> {
    let removal = Change::new([Arm { when: guard.clone(), ..Arm::default() }])?;
    Ok(guard::on_record(guard, now, &mut Values::inline(&removal)))
}

/// Whether a change makes a record where there is none.
pub(crate) fn makes_record(change: &Change) -> bool {
    change.arms().iter().any(|arm| arm.when.holds(None, Timestamp::MIN))
}

/// What the first arm that holds on a key without record makes there. No demand on a value does,
/// so which one that is does not depend on values.
fn made(arms: &[Arm], write: Write, now: Now, values: &mut Values<'_>) -> Option<Bson> {
    let number = arms.iter().position(|arm| arm.when.holds(None, Timestamp::MIN))?;
    let mut draft = Draft::unborn(now);
    values.turn_to(number);
    patch::carry_out(&arms.get(number)?.then, &mut draft, now, values);
    Some(draft.derived(write, number, now, values))
}

fn remembers(values: &mut Values<'_>) -> Bson {
    is_in(values.id(), "$recent_changes".into())
}

/// A change that leaves too many aliases leaves the record as it was.
fn is_applied() -> Bson {
    let most = Bson::Int64(whole(SyncRecord::MAX_ALIASES));
    all(vec![
        greater("$arm".into(), Bson::Int64(NO_ARM)),
        bson!({ "$lte": [length("$after.aliases".into()), most] }),
    ])
}

/// Translates `SyncRecord::status`.
fn status() -> Bson {
    let is_held = |kind| equal("$after.held.kind".into(), held_kind(kind).into());
    let is_dirty = greater("$after.revision".into(), "$after.synced_revision".into());
    let is_deleted = present("$after.deleted_at".into());
    let cases = Status::ALL.map(|status| {
        let case = match status {
            Status::Conflict => present("$after.conflict".into()),
            Status::DeadLetter => is_held(HeldKind::Dead),
            Status::Dismissed => is_held(HeldKind::Dismissed),
            Status::InProgress => present("$after.lease".into()),
            Status::Failed => present("$after.retry_at".into()),
            Status::Deleted => all(vec![is_deleted.clone(), not(is_dirty.clone())]),
            Status::Pending => is_dirty.clone(),
            Status::Synced => true.into(),
        };
        (case, status.as_str().into())
    });
    switch(cases.into(), Status::Synced.as_str().into())
}

/// Translates `SyncRecord::due_at`.
fn due_at() -> Bson {
    let since = |status: Status, field: &str| {
        (equal("$after.status".into(), status.as_str().into()), Bson::from(field))
    };
    let cases = vec![
        since(Status::InProgress, "$after.lease.until"),
        since(Status::Failed, "$after.retry_at"),
        since(Status::Pending, "$after.pending_since"),
    ];
    switch(cases, Bson::Null)
}

/// The external id and the aliases; nothing if there are none, so that an index has nothing either.
fn known_ids() -> Bson {
    let some = any(vec![present("$after.external_id".into()), has_aliases()]);
    let own = cond(
        present("$after.external_id".into()),
        bson!(["$after.external_id"]),
        Bson::Array(Vec::new()),
    );
    cond(some, joined(vec![own, "$after.aliases".into()]), "$$REMOVE".into())
}

fn has_aliases() -> Bson {
    greater(length("$after.aliases".into()), Bson::Int64(0))
}

/// Translates `SyncRecord::holds_external_ids`; nothing if there are none.
fn holds_ids() -> Bson {
    let holds = unequal("$after.status".into(), Status::Deleted.as_str().into());
    let none = equal(bson!({ "$type": "$after.known_ids" }), "missing".into());
    cond(none, "$$REMOVE".into(), holds)
}
