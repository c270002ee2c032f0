//! Whole records in, and records out.

use sync_tracker_core::rules::{self, MarkSynced, Success};
use sync_tracker_core::{
    Demand, ErrorKind, Filter, Guard, Imported, Incarnation, Key, Refusal, Removal, Renamed,
    Revision, Status, SyncRecord, Version,
};

use super::apply::full_record;
use super::local::completed;
use crate::ground::{Ground, LEASE, entity_type, external_id, product, request};

async fn put(ground: &Ground, record: &SyncRecord) -> Imported {
    ground.store.put(record).await.expect("the import is answered")
}

async fn remove(ground: &Ground, key: &Key, guard: &Guard) -> Removal {
    ground.store.remove(key, guard).await.expect("the removal is answered")
}

pub async fn an_imported_record_is_stored_as_it_is(ground: Ground) {
    let record = full_record(product("1"));
    assert_eq!(put(&ground, &record).await, Imported::Stored);
    assert_eq!(ground.record(&record.key).await, record);
    for id in ["own", "old", "older"] {
        assert_eq!(ground.find(&record.key, id).await, Some(record.key.clone()));
    }
    ground.is_sound().await;
}

pub async fn an_imported_record_replaces_the_one_there(ground: Ground) {
    let key = product("1");
    assert_eq!(put(&ground, &full_record(key.clone())).await, Imported::Stored);
    let other = ground.applied(&product("2"), &MarkSynced::default().change()).await;
    let plain = SyncRecord { key: key.clone(), ..other };
    assert_eq!(put(&ground, &plain).await, Imported::Stored);
    assert_eq!(ground.record(&key).await, plain);
    assert_eq!(ground.find(&key, "own").await, None);
    ground.is_sound().await;
}

pub async fn an_impossible_record_is_refused_as_invalid(ground: Ground) {
    let record = ground.applied(&product("1"), &rules::created()).await;
    let impossible = [
        SyncRecord { synced_revision: Revision::new(2).unwrap(), ..record.clone() },
        SyncRecord { pending_since: None, ..record.clone() },
        SyncRecord { version: Version::ZERO, ..record.clone() },
        SyncRecord { incarnation: Incarnation::ZERO, ..record.clone() },
        SyncRecord { revision: Revision::MAX, ..record.clone() },
        SyncRecord { aliases: vec![external_id("x"), external_id("x")], ..record.clone() },
    ];
    for wrong in impossible {
        let error = ground.store.put(&wrong).await.expect_err("it is impossible");
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert_eq!(ground.record(&record.key).await, record);
    }
}

pub async fn an_import_cannot_take_an_external_id(ground: Ground) {
    let owner = full_record(product("1"));
    assert_eq!(put(&ground, &owner).await, Imported::Stored);
    let thief = SyncRecord {
        external_id: Some(external_id("old")),
        aliases: Vec::new(),
        ..full_record(product("2"))
    };
    let by = Some(owner.key.entity.clone());
    let taken = Imported::Refused(Refusal::ExternalIdTaken { id: external_id("old"), by });
    assert_eq!(put(&ground, &thief).await, taken);
    assert_eq!(ground.get(&thief.key).await, None);
    assert_eq!(put(&ground, &owner).await, Imported::Stored, "its own ids are no obstacle");
    ground.is_sound().await;
}

pub async fn an_imported_record_can_be_claimed(ground: Ground) {
    let pending = ground.applied(&product("1"), &rules::created()).await;
    let key = product("2");
    let import = SyncRecord { key: key.clone(), ..pending };
    assert_eq!(remove(&ground, &product("1"), &Guard::default()).await, Removal::Removed);
    assert_eq!(put(&ground, &import).await, Imported::Stored);
    ground.lease(&key).await;
}

pub async fn removing_is_idempotent(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &rules::created()).await;
    assert_eq!(remove(&ground, &key, &Guard::default()).await, Removal::Removed);
    assert_eq!(remove(&ground, &key, &Guard::default()).await, Removal::Absent);
    assert_eq!(ground.get(&key).await, None);
}

pub async fn removing_is_guarded(ground: Ground) {
    let key = product("1");
    let record = ground.applied(&key, &rules::created()).await;
    let deleted = Guard { deleted: Some(true), ..Guard::default() };
    assert_eq!(remove(&ground, &key, &deleted).await, Removal::Refused(Refusal::NotDeleted));
    let version = Guard { version: Version::new(2).ok(), ..Guard::default() };
    assert_eq!(remove(&ground, &key, &version).await, Removal::Refused(Refusal::VersionMismatch));
    assert_eq!(ground.record(&key).await, record);
    let version = Guard { version: Some(record.version), ..Guard::default() };
    assert_eq!(remove(&ground, &key, &version).await, Removal::Removed);
}

pub async fn a_removed_record_leaves_no_trace_in_indexes(ground: Ground) {
    let (key, other) = (product("1"), product("2"));
    let success = Success { external_id: Some(external_id("x")), ..Success::default() };
    let marked = MarkSynced { success }.change();
    ground.applied(&key, &marked).await;
    ground.applied(&key, &rules::updated()).await;
    assert_eq!(remove(&ground, &key, &Guard::default()).await, Removal::Removed);
    assert_eq!(ground.find(&key, "x").await, None);
    assert!(ground.claim(&request(1)).await.is_empty());
    assert_eq!(ground.walk(&Filter::default(), 1).await, []);
    assert_eq!(ground.counts().await.total(), 0);
    assert_eq!(ground.store.records_of(&key.entity).await.unwrap(), []);
    ground.applied(&other, &marked).await;
    ground.advance(1);
    let born = ground.applied(&key, &rules::created()).await;
    assert_eq!((born.version.get(), born.revision.get()), (1, 1));
    let counts = ground.counts().await;
    assert_eq!(counts.of(&entity_type("product"), Status::Pending), 1);
    ground.is_sound().await;
}

async fn rename(ground: &Ground, from: &Key, to: &Key) -> Renamed {
    ground.store.rename(from, to).await.expect("the renaming is answered")
}

/// A record with everything that may be there while it is renamed.
fn at_rest(key: Key) -> SyncRecord {
    SyncRecord { lease: None, in_doubt: false, ..full_record(key) }
}

pub async fn a_renamed_record_keeps_everything(ground: Ground) {
    let (from, to) = (product("old"), product("new"));
    let record = at_rest(from.clone());
    assert_eq!(put(&ground, &record).await, Imported::Stored);
    assert_eq!(rename(&ground, &from, &to).await, Renamed::Moved);
    assert_eq!(ground.get(&from).await, None);
    assert_eq!(ground.record(&to).await, record.renamed(&to));
    for id in ["own", "old", "older"] {
        assert_eq!(ground.find(&to, id).await, Some(to.clone()));
    }
    assert_eq!(ground.store.records_of(&from.entity).await.unwrap(), []);
    assert_eq!(ground.walk(&Filter::default(), 1).await, [to]);
    ground.is_sound().await;
}

pub async fn a_record_is_renamed_to_another_source(ground: Ground) {
    let (from, to) = (product("1"), Key::new("shop-eu", "product", "1").unwrap());
    let record = at_rest(from.clone());
    assert_eq!(put(&ground, &record).await, Imported::Stored);
    let other = Key::new("shop-eu", "product", "2").unwrap();
    let taken = SyncRecord {
        external_id: Some(external_id("own")),
        aliases: Vec::new(),
        ..at_rest(other.clone())
    };
    assert_eq!(put(&ground, &taken).await, Imported::Stored);
    let by = Some(other.entity.clone());
    let refusal = Refusal::ExternalIdTaken { id: external_id("own"), by };
    assert_eq!(rename(&ground, &from, &to).await, Renamed::Refused(refusal));
    assert_eq!((ground.record(&from).await, ground.get(&to).await), (record, None));
    assert_eq!(remove(&ground, &other, &Guard::default()).await, Removal::Removed);
    assert_eq!(rename(&ground, &from, &to).await, Renamed::Moved);
    assert_eq!(ground.get(&from).await, None);
    assert_eq!(ground.find(&to, "own").await, Some(to));
    ground.is_sound().await;
}

pub async fn a_record_that_somebody_is_at_is_not_renamed(ground: Ground) {
    let (leased, doubted, to) = (product("1"), product("2"), product("new"));
    ground.applied(&leased, &rules::created()).await;
    ground.lease(&leased).await;
    let in_doubt = SyncRecord { lease: None, aliases: Vec::new(), ..full_record(doubted.clone()) };
    assert_eq!(put(&ground, &in_doubt).await, Imported::Stored);
    let run_out = product("3");
    ground.applied(&run_out, &rules::created()).await;
    ground.lease(&run_out).await;
    ground.advance(LEASE);
    let somebody =
        [(&leased, Demand::Leased), (&run_out, Demand::Leased), (&doubted, Demand::InDoubt)];
    for (key, demand) in somebody {
        let before = ground.record(key).await;
        let refused = Renamed::Refused(Refusal::Unmet { demand });
        assert_eq!(rename(&ground, key, &to).await, refused);
        assert_eq!(ground.record(key).await, before);
        assert_eq!(ground.get(&to).await, None);
    }
    ground.is_sound().await;
}

pub async fn a_record_is_not_renamed_onto_another(ground: Ground) {
    let (from, to) = (product("1"), product("2"));
    for key in [&from, &to] {
        ground.applied(key, &rules::created()).await;
    }
    let before = (ground.record(&from).await, ground.record(&to).await);
    let refused = Renamed::Refused(Refusal::AlreadyExists);
    assert_eq!(rename(&ground, &from, &to).await, refused);
    assert_eq!((ground.record(&from).await, ground.record(&to).await), before);
}

pub async fn renaming_is_idempotent(ground: Ground) {
    let (from, to) = (product("1"), product("2"));
    assert_eq!(rename(&ground, &from, &to).await, Renamed::Absent);
    let record = ground.applied(&from, &rules::created()).await;
    assert_eq!(rename(&ground, &from, &from).await, Renamed::Moved);
    assert_eq!(ground.record(&from).await, record);
    assert_eq!(rename(&ground, &from, &to).await, Renamed::Moved);
    assert_eq!(rename(&ground, &from, &to).await, Renamed::Absent);
    assert_eq!(ground.record(&to).await, record.renamed(&to));
    ground.lease(&to).await;
}

pub async fn a_record_is_removed_under_its_lease(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &rules::created()).await;
    let leased = ground.lease(&key).await;
    assert_eq!(remove(&ground, &key, &Guard::default()).await, Removal::Removed);
    assert!(ground.claim(&request(1)).await.is_empty());
    // Born again and leased again, a millisecond later: the old holder is told.
    ground.advance(1);
    ground.applied(&key, &rules::created()).await;
    let again = ground.lease(&key).await;
    assert!(again.token > leased.token && again.incarnation > leased.incarnation);
    let late = completed(&leased, Success::default()).change();
    assert_eq!(ground.refused(&key, &late).await, Refusal::LeaseLost);
    let done = completed(&again, Success::default()).change();
    assert_eq!(ground.applied(&key, &done).await.status(), Status::Synced);
    ground.is_sound().await;
}

pub async fn a_tombstone_is_purged_and_a_pending_deletion_is_not(ground: Ground) {
    let (key, pending) = (product("1"), product("2"));
    for (key, id) in [(&key, "x"), (&pending, "y")] {
        let success = Success { external_id: Some(external_id(id)), ..Success::default() };
        ground.applied(key, &MarkSynced { success }.change()).await;
        ground.applied(key, &rules::deleted()).await;
    }
    ground.applied(&key, &MarkSynced::default().change()).await;
    let gone = Guard { deleted: Some(true), dirty: Some(false), ..Guard::default() };
    assert_eq!(remove(&ground, &key, &gone).await, Removal::Removed);
    let dirty = Removal::Refused(Refusal::Unmet { demand: Demand::Dirty });
    assert_eq!(remove(&ground, &pending, &gone).await, dirty);
    assert_eq!(ground.get(&key).await, None);
    assert_eq!(ground.find(&pending, "y").await, Some(pending));
    assert_eq!(ground.counts().await.total(), 1);
    ground.is_sound().await;
}
