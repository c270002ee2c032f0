//! What an arm makes of a record: an expression for each field that it changes.

use mongodb::bson::{Bson, Document, bson, doc};
use sync_tracker_core::RecentChanges;

use super::values::Values;
use crate::expression::{Now, all, cond, equal, greater, highest, or_else, plus, pushed};
use crate::value::{change_id, whole};

/// Where the record as it was is, while a pipeline runs.
pub(super) const BEFORE: &str = "$before";

/// The calls of batches that changed a record, the last ones, with their arms: what tells a batch that
/// reads its records after it wrote them what it did to each.
pub(crate) const BATCH_CALLS: &str = "batch_calls";
/// How many are kept: so many batches may meet in one record while each is on its way.
const NOTED_CALLS: usize = 4;

/// The fields that an arm changes. What a later operation reads is what earlier ones made of it.
pub(super) struct Draft {
    fields: Document,
    is_unborn: bool,
}

impl Draft {
    /// Of a record that is there.
    pub(super) fn of_record() -> Self {
        Self { fields: Document::new(), is_unborn: false }
    }

    /// Of a key without record, as `SyncRecord::unborn`.
    pub(super) fn unborn(now: Now) -> Self {
        let none = Bson::Null;
        let empty = || Bson::Array(Vec::new());
        let zero = Bson::Int64(0);
        let fields = doc! {
            "external_id": none.clone(),
            "aliases": empty(),
            "incarnation": highest(Bson::Int64(1), now.millis()),
            "revision": zero.clone(),
            "synced_revision": zero.clone(),
            "pending_since": none.clone(),
            "created_at": now.expression(),
            "updated_at": none.clone(),
            "deleted_at": none.clone(),
            "synced_at": none.clone(),
            "remote_version": none.clone(),
            "remote_seen": none.clone(),
            "remote_deleted_at": none.clone(),
            "sighted_at": none.clone(),
            "base": none.clone(),
            "echoes": empty(),
            "attempts": zero.clone(),
            "in_doubt": false,
            "held": none.clone(),
            "failure": none.clone(),
            "retry_at": none.clone(),
            "token": zero.clone(),
            "lease": none.clone(),
            "conflict": none,
            "metadata": empty(),
            "version": zero,
            "recent_changes": empty(),
        };
        Self { fields, is_unborn: true }
    }

    pub(super) fn get(&self, field: &str) -> Bson {
        let path = || format!("{BEFORE}.{field}").into();
        self.fields.get(field).cloned().unwrap_or_else(path)
    }

    /// A field within one that no operation changed yet.
    pub(super) fn within(&self, field: &str, inner: &str) -> Bson {
        match self.is_unborn {
            true => Bson::Null,
            false => format!("{BEFORE}.{field}.{inner}").into(),
        }
    }

    pub(super) fn set(&mut self, field: &str, value: impl Into<Bson>) {
        self.fields.insert(field, value);
    }

    /// Adds what each change derives, and gives the fields as an expression.
    pub(super) fn derived(
        mut self,
        write: Write,
        arm: usize,
        now: Now,
        values: &mut Values<'_>,
    ) -> Bson {
        self.derive_pending_since(now);
        let version = plus(self.get("version"), 1);
        self.set("version", version);
        let id = values.id();
        let recent = pushed(self.get("recent_changes"), id, RecentChanges::CAPACITY);
        self.set("recent_changes", recent);
        self.set("last_arm", Bson::Int64(whole(arm)));
        let call = Bson::Int64(change_id(write.call));
        if write.in_batch {
            let noted = or_else(format!("{BEFORE}.{BATCH_CALLS}").into(), Bson::Array(Vec::new()));
            let this = bson!({ "call": call, "arm": Bson::Int64(whole(arm)) });
            self.set(BATCH_CALLS, pushed(noted, this, NOTED_CALLS));
        } else {
            self.set("last_call", call);
        }
        self.fields.into()
    }

    fn derive_pending_since(&mut self, now: Now) {
        let touched = ["revision", "synced_revision"].map(|it| self.fields.contains_key(it));
        if touched == [false, false] {
            return;
        }
        let is_dirty = greater(self.get("revision"), self.get("synced_revision"));
        let since = if self.is_unborn {
            now.expression()
        } else {
            let before = |field: &str| Bson::from(format!("{BEFORE}.{field}"));
            let was_dirty = greater(before("revision"), before("synced_revision"));
            let same = equal(before("synced_revision"), self.get("synced_revision"));
            cond(all(vec![was_dirty, same]), before("pending_since"), now.expression())
        };
        self.set("pending_since", cond(is_dirty, since, Bson::Null));
    }
}

/// What tells one write from another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Write {
    /// The call that carries it: another one for each try.
    pub(crate) call: sync_tracker_core::ChangeId,
    /// Whether the call reads the record later, and not as the answer of this very write.
    pub(crate) in_batch: bool,
}
