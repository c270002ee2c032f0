//! Calls that are dropped before they are answered, at every poll.

use sync_tracker_core::rules::{self, Bind, BindMode, MarkSynced, MarkSyncedTo, Success};
use sync_tracker_core::{
    Arm, AttemptsOp, Change, ClaimId, FailureNote, Filter, Key, PageSize, Patch, PauseRequest,
    SyncRecord,
};

use super::local::completed;
use crate::cancel::dropped_after;
use crate::differential::Action;
use crate::ground::{Ground, LEASE, MAX_ATTEMPTS, claim_of, external_id, fail, schedule, span};
use crate::sweep::{Scene, sweep};

/// The report that the current state is in the remote, as this id.
fn synced_as(id: &str) -> Change {
    let success = Success { external_id: Some(external_id(id)), ..Success::default() };
    MarkSynced { success }.change()
}

fn bind(id: &str, mode: BindMode) -> Change {
    Bind { external_id: external_id(id), mode }.change()
}

/// Bystanders, which no call of a sweep is about: a record with an external id, and a due one.
fn populate(scene: &mut Scene) {
    scene.applied("other", &synced_as("other"));
    scene.applied("waiting", &rules::created());
}

/// A change to a record that other changes have made.
async fn changes(ground: &Ground, name: &str, made_by: &[Change], change: &Change) {
    sweep(ground, name, |scene| {
        populate(scene);
        made_by.iter().for_each(|made| drop(scene.applied("1", made)));
        Action::Apply(scene.key("1"), change.clone())
    })
    .await;
}

pub async fn a_local_change_dropped_at_any_poll_is_applied_whole_or_not(ground: Ground) {
    let synced = [synced_as("x")];
    let (created, updated, deleted) = (rules::created(), rules::updated(), rules::deleted());
    changes(&ground, "created", &[], &created).await;
    changes(&ground, "created again", &synced, &created).await;
    changes(&ground, "updated", &synced, &updated).await;
    changes(&ground, "deleted", &synced, &deleted).await;
    let gone = [synced_as("x"), deleted, MarkSynced::default().change()];
    changes(&ground, "restored", &gone, &rules::restored()).await;
}

/// A report about a record that was claimed.
async fn reports(ground: &Ground, name: &str, report: impl Fn(&SyncRecord) -> Change) {
    sweep(ground, name, |scene| {
        scene.applied("1", &rules::created());
        let leased = scene.claimed().remove(0);
        populate(scene);
        Action::Apply(leased.key.clone(), report(&leased))
    })
    .await;
}

pub async fn a_report_dropped_at_any_poll_is_applied_whole_or_not(ground: Ground) {
    let success = || Success { external_id: Some(external_id("x")), ..Success::default() };
    reports(&ground, "completed", |leased| completed(leased, success()).change()).await;
    reports(&ground, "failed", |leased| fail(leased, &FailureNote::transient("x"))).await;
    reports(&ground, "dead", |leased| fail(leased, &FailureNote::permanent("x"))).await;
    reports(&ground, "renewed", |leased| rules::renew(leased.token, span(LEASE * 2))).await;
    reports(&ground, "released", |leased| rules::release(leased.token)).await;
    reports(&ground, "synced to", |leased| {
        let (incarnation, revision) = (leased.incarnation, leased.revision);
        MarkSyncedTo { incarnation, revision, success: success() }.change()
    })
    .await;
}

pub async fn a_report_without_lease_dropped_at_any_poll_is_applied_whole_or_not(ground: Ground) {
    changes(&ground, "synced", &[rules::created()], &synced_as("x")).await;
    let failed = rules::mark_failed(&FailureNote::permanent("x"), &schedule(), None);
    changes(&ground, "failed alone", &[synced_as("x")], &failed).await;
    changes(&ground, "redriven", &[failed], &rules::redrive()).await;
    changes(&ground, "dismissed", &[rules::created()], &rules::dismiss()).await;
}

pub async fn a_binding_dropped_at_any_poll_is_applied_whole_or_not(ground: Ground) {
    let expected = external_id("x");
    changes(&ground, "bound", &[], &bind("x", BindMode::Add)).await;
    changes(&ground, "linked", &[rules::created()], &bind("x", BindMode::Link)).await;
    let bound = [bind("x", BindMode::Add)];
    changes(&ground, "rebound", &bound, &bind("y", BindMode::Rebind { expected })).await;
    changes(&ground, "taken", &[], &bind("other", BindMode::Add)).await;
    let (deleted, settled) = (rules::deleted(), MarkSynced::default().change());
    changes(&ground, "let go", &[synced_as("x"), deleted], &settled).await;
}

pub async fn a_batch_dropped_at_any_poll_is_applied_item_by_item(ground: Ground) {
    sweep(&ground, "batch", |scene| {
        populate(scene);
        let [one, two, three] = ["1", "2", "3"].map(|id| scene.key(id));
        Action::ApplyMany(vec![
            (one.clone(), rules::created()),
            (two, synced_as("x")),
            (three, rules::deleted()),
            (one, rules::updated()),
        ])
    })
    .await;
}

pub async fn a_claim_dropped_at_any_poll_is_completed_by_a_repeat(ground: Ground) {
    sweep(&ground, "claim", |scene| {
        populate(scene);
        scene.applied("1", &rules::created());
        scene.applied("2", &rules::created());
        for _ in 0..MAX_ATTEMPTS {
            let then = Patch { attempts: AttemptsOp::Charge, ..Patch::default() };
            let charged = Change::new([Arm { then, ..Arm::default() }]).unwrap();
            scene.applied("2", &charged);
        }
        Action::Claim(claim_of(&scene.source, ClaimId::random(), 10))
    })
    .await;
}

pub async fn an_import_dropped_at_any_poll_is_stored_whole_or_not(ground: Ground) {
    for (name, there) in [("new", false), ("replaced", true)] {
        sweep(&ground, name, |scene| {
            populate(scene);
            let mut elsewhere = scene.ledger.clone();
            let key = scene.key("1");
            let _ = elsewhere.apply(&key, &synced_as("y"), ground.now());
            let _ = elsewhere.apply(&key, &rules::updated(), ground.now());
            if there {
                scene.applied("1", &synced_as("x"));
            }
            let record = elsewhere.get(&key).unwrap().clone();
            Action::Put(Box::new(record))
        })
        .await;
    }
}

pub async fn a_removal_dropped_at_any_poll_is_done_whole_or_not(ground: Ground) {
    for (name, change) in [("synced", synced_as("x")), ("due", rules::created())] {
        sweep(&ground, name, |scene| {
            populate(scene);
            scene.applied("1", &change);
            Action::Remove(scene.key("1"), Box::default())
        })
        .await;
    }
}

pub async fn a_renaming_dropped_at_any_poll_loses_nothing(ground: Ground) {
    sweep(&ground, "renamed", |scene| {
        scene.applied("1", &synced_as("x"));
        scene.applied("1", &rules::updated());
        Action::Rename(scene.key("1"), scene.key("2"))
    })
    .await;
}

pub async fn a_pause_dropped_at_any_poll_lasts_or_not(ground: Ground) {
    let (hour, endless) = (Some(span(3_600_000)), PauseRequest::default());
    for (name, request) in [
        ("for an hour", PauseRequest { span: hour, ..endless.clone() }),
        ("without end", endless.clone()),
    ] {
        sweep(&ground, name, |scene| {
            populate(scene);
            Action::Pause(scene.source.clone(), request.clone())
        })
        .await;
    }
    sweep(&ground, "resumed", |scene| {
        populate(scene);
        scene.pause(&endless);
        Action::Resume(scene.source.clone())
    })
    .await;
}

pub async fn a_read_dropped_at_any_poll_changes_nothing(ground: Ground) {
    let mut polls = 0;
    while dropped_after(polls, ground.store.sources()).await.is_none() {
        polls += 1;
    }
    polls = 0;
    while dropped_after(polls, ground.store.durability()).await.is_none() {
        polls += 1;
    }
    type Read = fn(&Key) -> Action;
    let reads: [(&str, Read); 9] = [
        ("get", |key| Action::Get(key.clone())),
        ("get many", |key| Action::GetMany(vec![key.clone(); 3])),
        ("by external id", |key| {
            let Key { source, entity } = key.clone();
            Action::ByExternalId(source, entity.entity_type, external_id("other"))
        }),
        ("by external ids", |key| {
            let Key { source, entity } = key.clone();
            let ids = ["other", "none"].map(external_id).to_vec();
            Action::ByExternalIds(source, entity.entity_type, ids)
        }),
        ("list", |key| {
            let filter = Filter { source: Some(key.source.clone()), ..Filter::default() };
            Action::Walk(filter, None, PageSize::ONE)
        }),
        ("records", |key| Action::RecordsOf(key.entity.clone())),
        ("statistics", |key| Action::Statistics(key.source.clone())),
        ("paused", |key| Action::Paused(key.source.clone())),
        ("now", |_| Action::Now),
    ];
    for (name, read) in reads {
        sweep(&ground, name, |scene| {
            populate(scene);
            read(&scene.key("other"))
        })
        .await;
    }
}
