//! External ids: whose is it, and who is told.

use sync_tracker_core::rules::{self, Bind, BindMode, MarkSynced, Success};
use sync_tracker_core::{
    AliasesOp, Arm, Change, EntityRef, Imported, Key, Operation, Patch, Refusal, Renamed,
    RevisionOp, Status, SyncRecord,
};

use super::local::completed;
use crate::ground::{Ground, external_id, product};

fn bind(id: &str) -> Change {
    Bind { external_id: external_id(id), mode: BindMode::Add }.change()
}

fn link(id: &str) -> Change {
    Bind { external_id: external_id(id), mode: BindMode::Link }.change()
}

fn rebind(id: &str, expected: &str) -> Change {
    let mode = BindMode::Rebind { expected: external_id(expected) };
    Bind { external_id: external_id(id), mode }.change()
}

fn marked(id: &str) -> Change {
    let success = Success { external_id: Some(external_id(id)), ..Success::default() };
    MarkSynced { success }.change()
}

fn alias(id: &str) -> Change {
    let add = Patch { aliases: AliasesOp::Add(external_id(id)), ..Patch::default() };
    Change::new([Arm { then: add, ..Arm::default() }]).unwrap()
}

fn taken(id: &str, by: &Key) -> Refusal {
    Refusal::ExternalIdTaken { id: external_id(id), by: Some(by.entity.clone()) }
}

pub async fn an_external_id_has_one_owner(ground: Ground) {
    let (owner, other) = (product("1"), product("2"));
    ground.applied(&owner, &bind("x")).await;
    ground.applied(&other, &rules::created()).await;
    assert_eq!(ground.refused(&other, &bind("x")).await, taken("x", &owner));
    assert_eq!(ground.refused(&other, &marked("x")).await, taken("x", &owner));
    assert_eq!(ground.find(&owner, "x").await, Some(owner));
    ground.is_sound().await;
}

pub async fn an_external_id_is_unique_within_source_and_type(ground: Ground) {
    let keys = [
        product("1"),
        Key::new("shop", "customer", "1").unwrap(),
        Key::new("shop-eu", "product", "1").unwrap(),
    ];
    for key in &keys {
        ground.applied(key, &bind("x")).await;
    }
    for key in keys {
        assert_eq!(ground.find(&key, "x").await, Some(key));
    }
    ground.is_sound().await;
}

pub async fn an_external_id_is_compared_byte_by_byte(ground: Ground) {
    let ids = [
        "x", "X", " x", "x ", "0", "00", "é", "e\u{301}", "ß", "ss", "SS", "i", "I", "İ", "ı",
        "$x", "x.y", "*", "%", "_",
    ];
    for (at, id) in ids.into_iter().enumerate() {
        ground.applied(&product(&at.to_string()), &bind(id)).await;
    }
    for (at, id) in ids.into_iter().enumerate() {
        let key = product(&at.to_string());
        assert_eq!(ground.find(&key, id).await, Some(key.clone()), "{id:?}");
        assert_eq!(ground.record(&key).await.external_id, Some(external_id(id)));
    }
    assert_eq!(ground.find(&product("1"), "y").await, None);
}

pub async fn another_source_is_another_record(ground: Ground) {
    let entity = EntityRef::new("customer", 1).unwrap();
    let [first, second] =
        ["salesforce", "hubspot"].map(|source| Key::new(source, "customer", 1).unwrap());
    let before = ground.applied(&first, &marked("SF-1")).await;
    ground.applied(&second, &marked("HS-1")).await;
    ground.applied(&second, &rules::updated()).await;
    assert_eq!(ground.record(&first).await, before);
    assert_eq!(ground.find(&first, "SF-1").await, Some(first.clone()));
    assert_eq!(ground.find(&second, "HS-1").await, Some(second.clone()));
    let records = ground.store.records_of(&entity).await.unwrap();
    let keys: Vec<_> = records.into_iter().map(|record| record.key).collect();
    assert_eq!(keys, [second, first]);
}

pub async fn binding_twice_is_the_same_as_once(ground: Ground) {
    let key = product("1");
    let once = ground.applied(&key, &bind("x")).await;
    assert_eq!(once.status(), Status::Pending);
    assert_eq!(once.operation(), Operation::Update);
    ground.advance(1);
    let twice = ground.applied(&key, &bind("x")).await;
    assert_eq!(twice.external_id, once.external_id);
    assert_eq!(twice.revision, once.revision);
    assert_eq!(twice.pending_since, once.pending_since);
}

pub async fn binding_another_id_is_refused_and_told(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &bind("x")).await;
    let bound = Refusal::AlreadyBound { to: external_id("x") };
    assert_eq!(ground.refused(&key, &bind("y")).await, bound);
    assert_eq!(ground.refused(&key, &link("y")).await, bound);
    assert_eq!(ground.refused(&key, &marked("y")).await, bound);
    assert_eq!(ground.find(&key, "y").await, None);
}

pub async fn linking_needs_a_record(ground: Ground) {
    let key = product("1");
    assert_eq!(ground.refused(&key, &link("x")).await, Refusal::Absent);
    ground.applied(&key, &rules::created()).await;
    let record = ground.applied(&key, &link("x")).await;
    assert_eq!(record.operation(), Operation::Update);
}

pub async fn rebinding_lets_the_old_id_go(ground: Ground) {
    let (key, other) = (product("1"), product("2"));
    ground.applied(&key, &bind("x")).await;
    ground.applied(&key, &rebind("y", "x")).await;
    assert_eq!(ground.find(&key, "x").await, None);
    assert_eq!(ground.find(&key, "y").await, Some(key.clone()));
    ground.applied(&other, &bind("x")).await;
    assert_eq!(ground.refused(&key, &rebind("x", "y")).await, taken("x", &other));
    ground.is_sound().await;
}

pub async fn rebinding_needs_the_expected_id(ground: Ground) {
    let key = product("1");
    assert_eq!(ground.refused(&key, &rebind("y", "x")).await, Refusal::Absent);
    ground.applied(&key, &rules::created()).await;
    let unbound = Refusal::NotBoundTo { actual: None };
    assert_eq!(ground.refused(&key, &rebind("y", "x")).await, unbound);
    ground.applied(&key, &bind("z")).await;
    let bound = Refusal::NotBoundTo { actual: Some(external_id("z")) };
    assert_eq!(ground.refused(&key, &rebind("y", "x")).await, bound);
}

pub async fn an_alias_leads_to_the_record_and_is_taken(ground: Ground) {
    let (key, other) = (product("1"), product("2"));
    ground.applied(&key, &bind("x")).await;
    ground.applied(&key, &alias("old")).await;
    assert_eq!(ground.find(&key, "old").await, Some(key.clone()));
    assert_eq!(ground.refused(&other, &bind("old")).await, taken("old", &key));
    ground.applied(&other, &bind("y")).await;
    assert_eq!(ground.refused(&other, &alias("x")).await, taken("x", &key));
    assert_eq!(ground.refused(&key, &alias("y")).await, taken("y", &other));
    ground.is_sound().await;
}

pub async fn an_alias_too_many_is_refused(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &bind("own")).await;
    for number in 0..SyncRecord::MAX_ALIASES {
        ground.applied(&key, &alias(&format!("{number}"))).await;
    }
    assert_eq!(ground.refused(&key, &alias("one more")).await, Refusal::TooManyAliases);
    assert_eq!(ground.find(&key, "one more").await, None);
    ground.applied(&key, &alias("0")).await;
    ground.applied(&key, &rebind("1", "own")).await;
    ground.applied(&key, &alias("own")).await;
    ground.is_sound().await;
}

pub async fn a_pending_deletion_still_holds_the_id(ground: Ground) {
    let (key, other) = (product("1"), product("2"));
    ground.applied(&key, &marked("x")).await;
    ground.applied(&key, &rules::deleted()).await;
    assert_eq!(ground.refused(&other, &bind("x")).await, taken("x", &key));
    // While a worker may still be at the object, its id is not free either.
    ground.lease(&key).await;
    ground.applied(&key, &MarkSynced::default().change()).await;
    assert_eq!(ground.refused(&other, &bind("x")).await, taken("x", &key));
}

pub async fn a_tombstone_lets_go_of_its_ids_and_is_still_found(ground: Ground) {
    let (first, second, third) = (product("1"), product("2"), product("3"));
    for key in [&first, &second] {
        ground.applied(key, &marked("x")).await;
        ground.applied(key, &rules::deleted()).await;
        let leased = ground.lease(key).await;
        ground.advance(1);
        ground.applied(key, &completed(&leased, Success::default()).change()).await;
        assert_eq!(ground.find(key, "x").await.as_ref(), Some(key), "deleted last");
    }
    ground.applied(&third, &marked("x")).await;
    assert_eq!(ground.find(&third, "x").await, Some(third.clone()), "the holder comes first");
    ground.is_sound().await;
    ground.applied(&third, &rebind("y", "x")).await;
    assert_eq!(ground.find(&third, "x").await, Some(second));
}

pub async fn a_tombstone_cannot_take_back_ids_that_another_holds(ground: Ground) {
    let (key, other, renamed) = (product("1"), product("2"), product("3"));
    ground.applied(&key, &marked("x")).await;
    ground.applied(&key, &rules::deleted()).await;
    let tombstone = ground.applied(&key, &MarkSynced::default().change()).await;
    ground.applied(&other, &marked("x")).await;
    let revive = || {
        let next = Patch { revision: RevisionOp::Next, ..Patch::default() };
        Change::new([Arm { then: next, ..Arm::default() }]).unwrap()
    };
    assert_eq!(ground.refused(&key, &revive()).await, taken("x", &other));
    // While it stays a tombstone it claims nothing: it can be imported and renamed.
    assert_eq!(ground.store.put(&tombstone).await.unwrap(), Imported::Stored);
    assert_eq!(ground.store.rename(&key, &renamed).await.unwrap(), Renamed::Moved);
    assert_eq!(ground.find(&key, "x").await.as_ref(), Some(&other));
    ground.is_sound().await;
    ground.applied(&other, &rebind("y", "x")).await;
    ground.applied(&renamed, &revive()).await;
    assert_eq!(ground.refused(&other, &rebind("x", "y")).await, taken("x", &renamed));
    ground.is_sound().await;
}

pub async fn a_taken_id_has_no_effect_on_a_key_without_record(ground: Ground) {
    let (owner, other) = (product("1"), product("2"));
    ground.applied(&owner, &bind("x")).await;
    assert_eq!(ground.refused(&other, &marked("x")).await, taken("x", &owner));
    assert_eq!(ground.get(&other).await, None);
    ground.applied(&other, &rules::created()).await;
    ground.is_sound().await;
}

pub async fn binding_leaves_the_lease_of_another(ground: Ground) {
    let added = product("1");
    let leased = {
        ground.applied(&added, &rules::created()).await;
        ground.lease(&added).await
    };
    for change in [bind("x"), link("x"), rebind("y", "x")] {
        let bound = ground.applied(&added, &change).await;
        assert_eq!((bound.lease, bound.token), (leased.lease.clone(), leased.token));
        assert_eq!(bound.revision, leased.revision);
    }
    let done = completed(&leased, Success::default()).change();
    let record = ground.applied(&added, &done).await;
    assert_eq!((record.status(), record.external_id), (Status::Synced, Some(external_id("y"))));
    ground.is_sound().await;
}

pub async fn a_tombstone_cannot_be_bound(ground: Ground) {
    let (key, pending) = (product("1"), product("2"));
    for (key, id) in [(&key, "x"), (&pending, "y")] {
        ground.applied(key, &marked(id)).await;
        ground.applied(key, &rules::deleted()).await;
    }
    ground.applied(&key, &MarkSynced::default().change()).await;
    for change in [bind("x"), link("x"), rebind("z", "x")] {
        assert_eq!(ground.refused(&key, &change).await, Refusal::Deleted);
    }
    for (change, id) in [(bind("y"), "y"), (link("y"), "y"), (rebind("z", "y"), "z")] {
        let record = ground.applied(&pending, &change).await;
        assert_eq!((record.status(), record.operation()), (Status::Pending, Operation::Delete));
        assert_eq!(ground.find(&pending, id).await.as_ref(), Some(&pending));
    }
    ground.is_sound().await;
}
