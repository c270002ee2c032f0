//! Every case of base, local and remote side, as a table.

use sync_tracker_core::ConflictKind::{DeleteEdit, EditDelete, EditEdit};
use sync_tracker_core::rules::Winner;
use sync_tracker_core::{
    EntityRef, ExternalId, Operation, Refusal, RemoteVersion, Status, Verdict,
};

use super::scene::{ID, SHOP, Scene, content, etag, value, version};

/// What is here: nothing, what both agreed on, something newer, a deletion, a deletion that was
/// pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Local {
    Absent,
    Same,
    Changed,
    Deleted,
    Gone,
}

/// What is seen there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remote {
    Same,
    Changed,
    Deleted,
}

impl Remote {
    fn seen(self) -> Option<i64> {
        match self {
            Self::Same => Some(1),
            Self::Changed => Some(2),
            Self::Deleted => None,
        }
    }
}

/// Whether both sides ever told a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Base {
    Absent,
    Known,
}

async fn scene(base: Base, local: Local) -> Scene {
    let scene = Scene::new();
    if local == Local::Absent {
        return scene;
    }
    let mut synced = scene.tracker.mark_synced(&scene.product, SHOP).external_id(ID);
    if base == Base::Known {
        synced = synced.fingerprint(content(1));
    }
    synced.remote_version(version(10)).await.unwrap().into_result().unwrap();
    scene.advance(1_000);
    match local {
        Local::Absent | Local::Same => {}
        Local::Changed => scene.updated().await,
        Local::Deleted => scene.deleted().await,
        Local::Gone => scene.deleted_there_too().await,
    }
    scene
}

#[tokio::test]
async fn news_means_what_the_table_says() {
    use Base::{Absent as NoBase, Known};
    use Local::{Absent, Changed, Deleted, Gone, Same};
    use Status::{Conflict, Deleted as Tombstone, Pending, Synced};

    let rows = [
        // base, local, remote: verdict, status after it
        (Known, Same, Remote::Same, Verdict::Same, Some(Synced)),
        (Known, Same, Remote::Changed, Verdict::Newer, Some(Synced)),
        (Known, Same, Remote::Deleted, Verdict::Deleted, Some(Synced)),
        (Known, Changed, Remote::Same, Verdict::Same, Some(Pending)),
        (Known, Changed, Remote::Changed, Verdict::Conflict(EditEdit), Some(Conflict)),
        (Known, Changed, Remote::Deleted, Verdict::Conflict(EditDelete), Some(Conflict)),
        (Known, Deleted, Remote::Same, Verdict::Same, Some(Pending)),
        (Known, Deleted, Remote::Changed, Verdict::Conflict(DeleteEdit), Some(Conflict)),
        (Known, Deleted, Remote::Deleted, Verdict::Same, Some(Tombstone)),
        (Known, Gone, Remote::Same, Verdict::Reappeared, Some(Tombstone)),
        (Known, Gone, Remote::Changed, Verdict::Reappeared, Some(Tombstone)),
        (Known, Gone, Remote::Deleted, Verdict::Same, Some(Tombstone)),
        (Known, Absent, Remote::Same, Verdict::Untracked, None),
        (Known, Absent, Remote::Changed, Verdict::Untracked, None),
        (Known, Absent, Remote::Deleted, Verdict::Untracked, None),
        // Without a base every content is another one.
        (NoBase, Same, Remote::Same, Verdict::Newer, Some(Synced)),
        (NoBase, Same, Remote::Changed, Verdict::Newer, Some(Synced)),
        (NoBase, Same, Remote::Deleted, Verdict::Deleted, Some(Synced)),
        (NoBase, Changed, Remote::Same, Verdict::Conflict(EditEdit), Some(Conflict)),
        (NoBase, Changed, Remote::Changed, Verdict::Conflict(EditEdit), Some(Conflict)),
        (NoBase, Changed, Remote::Deleted, Verdict::Conflict(EditDelete), Some(Conflict)),
        (NoBase, Deleted, Remote::Same, Verdict::Conflict(DeleteEdit), Some(Conflict)),
        (NoBase, Deleted, Remote::Changed, Verdict::Conflict(DeleteEdit), Some(Conflict)),
        (NoBase, Deleted, Remote::Deleted, Verdict::Same, Some(Tombstone)),
        (NoBase, Gone, Remote::Same, Verdict::Reappeared, Some(Tombstone)),
        (NoBase, Gone, Remote::Changed, Verdict::Reappeared, Some(Tombstone)),
        (NoBase, Gone, Remote::Deleted, Verdict::Same, Some(Tombstone)),
    ];
    println!("base    local    remote   with version  verdict               status");
    for (base, local, remote, verdict, status) in rows {
        // News by its version, and without any.
        for stamp in [Some(version(11)), None] {
            let scene = scene(base, local).await;
            let observed = scene.observe(stamp.clone(), remote.seen()).await;
            let case = format!("{base:?}, {local:?}, {remote:?}, {stamp:?}");
            println!(
                "{:7} {:8} {:8} {:13} {:21} {status:?}",
                format!("{base:?}"),
                format!("{local:?}"),
                format!("{remote:?}"),
                stamp.is_some(),
                format!("{verdict:?}"),
            );
            assert_eq!(observed.verdict, verdict, "{case}");
            assert_eq!(observed.record.as_ref().map(|record| record.status()), status, "{case}");
            if local != Absent {
                assert_eq!(Some(scene.record().await), observed.record, "{case}");
            }
            // What was not accepted is news again.
            let again = scene.observe(stamp, remote.seen()).await;
            assert_eq!(again.verdict, verdict, "{case}, again");
        }
    }
}

#[tokio::test]
async fn what_is_no_news_by_its_version_changes_nothing() {
    let rows = [
        // the version and the content, of a record at version 10 with content 1
        (version(9), Some(1), Verdict::Stale),
        (version(9), Some(2), Verdict::Stale),
        (version(9), None, Verdict::Stale),
        (version(10), Some(1), Verdict::Same),
        (version(10), Some(2), Verdict::Unordered),
        (version(10), None, Verdict::Unordered),
        (etag(10), Some(1), Verdict::Same),
        (etag(10), Some(2), Verdict::Unordered),
        (etag(10), None, Verdict::Unordered),
    ];
    for local in [Local::Same, Local::Changed, Local::Deleted] {
        for (stamp, seen, verdict) in rows.clone() {
            let scene = scene(Base::Known, local).await;
            let before = scene.record().await;
            let observed = scene.observe(Some(stamp.clone()), seen).await;
            let verdict = match (verdict, local, stamp) {
                // What was deleted here cannot be the same without an order.
                (Verdict::Same, Local::Deleted, RemoteVersion::Opaque(_)) => Verdict::Unordered,
                (other, ..) => other,
            };
            assert_eq!(observed.verdict, verdict, "{local:?}, {seen:?}");
            assert_eq!(scene.record().await, before);
        }
    }
}

#[tokio::test]
async fn what_is_seen_and_not_accepted_is_news_again_and_older_news_is_stale() {
    let scene = Scene::in_step().await;
    assert_eq!(scene.observe(Some(version(12)), Some(3)).await.verdict, Verdict::Newer);
    assert_eq!(scene.observe(Some(version(11)), Some(2)).await.verdict, Verdict::Stale);
    let observed = scene.observe(Some(version(12)), Some(3)).await;
    assert_eq!(observed.verdict, Verdict::Newer);
    assert!(scene.tracker.accept_remote(&observed).await.unwrap().is_applied());
    let record = scene.record().await;
    assert_eq!((record.base.clone(), record.status()), (Some(content(3)), Status::Synced));
    assert_eq!(scene.observe(Some(version(12)), Some(3)).await.verdict, Verdict::Same);
    assert_eq!(scene.observe(Some(version(12)), Some(4)).await.verdict, Verdict::Unordered);
}

#[tokio::test]
async fn accepting_leaves_what_was_changed_meanwhile_to_be_pushed() {
    let scene = Scene::in_step().await;
    let observed = scene.observe(Some(version(11)), Some(2)).await;
    scene.updated().await;
    let accepted = scene.tracker.accept_remote(&observed).await.unwrap();
    assert!(accepted.is_applied());
    let record = scene.record().await;
    assert_eq!((record.status(), record.operation()), (Status::Pending, Operation::Update));
    assert_eq!(record.remote_version, Some(version(11)));
    // Based on the change, both sides are in step.
    let scene = Scene::in_step().await;
    let observed = scene.observe(Some(version(11)), Some(2)).await;
    scene.updated().await;
    let revision = scene.record().await.revision;
    let accept = scene.tracker.accept_remote(&observed).based_on(revision);
    assert!(accept.await.unwrap().is_applied());
    assert_eq!(scene.record().await.status(), Status::Synced);
}

#[tokio::test]
async fn accepting_what_is_not_the_latest_is_refused() {
    let scene = Scene::in_step().await;
    let first = scene.observe(Some(version(11)), Some(2)).await;
    let _ = scene.observe(Some(version(12)), Some(3)).await;
    let refused = scene.tracker.accept_remote(&first).await.unwrap();
    assert_eq!(refused.refusal(), Some(&Refusal::RemoteMoved));
    let untracked = Scene::new().observe(Some(version(1)), Some(1)).await;
    let refused = scene.tracker.accept_remote(&untracked).await.unwrap();
    assert_eq!(refused.refusal(), Some(&Refusal::Absent));
}

#[tokio::test]
async fn a_deletion_in_the_remote_is_accepted_unless_the_entity_changed() {
    let scene = Scene::in_step().await;
    let observed = scene.observe(Some(version(11)), None).await;
    assert!(scene.tracker.accept_remote(&observed).await.unwrap().is_applied());
    assert!(scene.tracker.accept_remote(&observed).await.unwrap().is_applied(), "again");
    let record = scene.record().await;
    assert_eq!((record.status(), record.operation()), (Status::Deleted, Operation::Nothing));
    // An update from before the deletion does not bring it back.
    assert_eq!(scene.observe(Some(version(10)), Some(2)).await.verdict, Verdict::Stale);

    let scene = Scene::in_step().await;
    let observed = scene.observe(Some(version(11)), None).await;
    scene.updated().await;
    let refused = scene.tracker.accept_remote(&observed).await.unwrap();
    assert_eq!(refused.refusal(), Some(&Refusal::RevisionMoved));
    let again = scene.observe(Some(version(11)), None).await;
    assert_eq!(again.verdict, Verdict::Conflict(EditDelete));
}

#[tokio::test]
async fn a_deletion_that_the_application_reported_itself_is_accepted_too() {
    let scene = Scene::in_step().await;
    let observed = scene.observe(Some(version(11)), None).await;
    scene.deleted().await;
    assert!(scene.tracker.accept_remote(&observed).await.unwrap().is_applied());
    assert_eq!(scene.record().await.status(), Status::Deleted);
}

#[tokio::test]
async fn what_was_restored_in_the_remote_begins_a_new_life_here() {
    let scene = Scene::in_step().await;
    let before = scene.record().await;
    scene.deleted_there_too().await;
    scene.advance(1_000);
    let observed = scene.observe(Some(version(20)), Some(5)).await;
    assert_eq!(observed.verdict, Verdict::Reappeared);
    assert!(scene.tracker.accept_remote(&observed).await.unwrap().is_applied());
    let record = scene.record().await;
    assert!(record.incarnation > before.incarnation);
    assert_eq!(record.external_id.as_ref().map(ExternalId::as_str), Some(ID));
    assert_eq!((record.status(), record.base), (Status::Synced, Some(content(5))));
    assert_eq!(scene.observe(Some(version(20)), Some(5)).await.verdict, Verdict::Same);
}

#[tokio::test]
async fn what_was_deleted_here_and_edited_there_is_restored_by_a_local_change_too() {
    let scene = Scene::in_step().await;
    let observed = scene.observe(Some(version(11)), None).await;
    assert!(scene.tracker.accept_remote(&observed).await.unwrap().is_applied());
    let outcomes = scene.tracker.restored(&scene.product).await.unwrap();
    assert!(outcomes[0].outcome.is_applied());
    let record = scene.record().await;
    assert_eq!((record.status(), record.operation()), (Status::Pending, Operation::Create));
    assert_eq!(record.external_id, None);
}

#[tokio::test]
async fn a_conflict_is_not_claimed_and_ends_as_it_was_decided() {
    use Winner::{Local as Ours, Remote as Theirs};
    let rows = [
        // local, remote, winner: status, operation
        (Local::Changed, Remote::Changed, Ours, Status::Pending, Operation::Update),
        (Local::Changed, Remote::Changed, Theirs, Status::Synced, Operation::Update),
        (Local::Changed, Remote::Deleted, Ours, Status::Pending, Operation::Create),
        (Local::Changed, Remote::Deleted, Theirs, Status::Deleted, Operation::Nothing),
        (Local::Deleted, Remote::Changed, Ours, Status::Pending, Operation::Delete),
        (Local::Deleted, Remote::Changed, Theirs, Status::Synced, Operation::Update),
    ];
    for (local, remote, winner, status, operation) in rows {
        for stamp in [Some(version(11)), None] {
            let case = format!("{local:?}, {remote:?}, {winner:?}, {stamp:?}");
            let scene = scene(Base::Known, local).await;
            let observed = scene.observe(stamp.clone(), remote.seen()).await;
            assert!(matches!(observed.verdict, Verdict::Conflict(_)), "{case}");
            assert!(scene.tracker.claim(SHOP).await.unwrap().pushes.is_empty(), "{case}");
            let record = observed.record.unwrap();
            let resolve = scene.tracker.resolve(&record, winner);
            let resolved = match remote.seen() {
                Some(seen) => resolve.remote_fingerprint(content(seen)).await,
                None => resolve.await,
            };
            assert!(resolved.unwrap().is_applied(), "{case}");
            let record = scene.record().await;
            assert_eq!((record.status(), record.operation()), (status, operation), "{case}");
            let claimed = scene.tracker.claim(SHOP).await.unwrap().pushes.len();
            assert_eq!(claimed, usize::from(status == Status::Pending), "{case}");
            // The event that opened it is no news any more.
            let again = scene.observe(stamp.clone(), remote.seen()).await;
            assert!(
                matches!(again.verdict, Verdict::Same | Verdict::Untracked),
                "{case}: {:?}",
                again.verdict
            );
            let refused = scene.tracker.resolve(&scene.record().await, winner).await.unwrap();
            assert_eq!(refused.refusal(), Some(&Refusal::NoConflict), "{case}");
        }
    }
}

#[tokio::test]
async fn a_decision_is_refused_if_either_side_moved() {
    for stamp in [Some(version(11)), None] {
        let scene = scene(Base::Known, Local::Changed).await;
        let record = scene.observe(stamp.clone(), Some(2)).await.record.unwrap();
        scene.updated().await;
        let refused = scene.tracker.resolve(&record, Winner::Remote).await.unwrap();
        assert_eq!(refused.refusal(), Some(&Refusal::VersionMismatch), "the local side moved");

        let record = scene.record().await;
        let later = stamp.as_ref().map(|_| version(12));
        let observed = scene.observe(later, Some(3)).await;
        assert_eq!(observed.verdict, Verdict::Conflict(EditEdit));
        let refused = scene.tracker.resolve(&record, Winner::Local).await.unwrap();
        assert_eq!(refused.refusal(), Some(&Refusal::VersionMismatch), "the remote side moved");

        let record = scene.record().await;
        let since = record.conflict.unwrap().since;
        scene.advance(5);
        let observed = scene.observe(stamp.map(|_| version(13)), None).await;
        assert_eq!(observed.verdict, Verdict::Conflict(EditDelete), "of the other kind now");
        assert_eq!(observed.record.unwrap().conflict.unwrap().since, since);
    }
}

#[tokio::test]
async fn a_deletion_while_a_conflict_is_open_counts_when_it_is_resolved() {
    let scene = scene(Base::Known, Local::Changed).await;
    let _ = scene.observe(Some(version(11)), Some(2)).await;
    scene.deleted().await;
    let record = scene.record().await;
    assert_eq!(record.status(), Status::Conflict);
    assert!(scene.tracker.resolve(&record, Winner::Local).await.unwrap().is_applied());
    assert_eq!(scene.record().await.operation(), Operation::Delete);

    let scene = self::scene(Base::Known, Local::Changed).await;
    let _ = scene.observe(Some(version(11)), None).await;
    scene.deleted().await;
    let record = scene.record().await;
    assert!(scene.tracker.resolve(&record, Winner::Local).await.unwrap().is_applied());
    assert_eq!(scene.record().await.status(), Status::Deleted, "both sides deleted it");
}

#[tokio::test]
async fn what_happens_to_the_object_after_a_push_that_ends_in_a_conflict_counts() {
    // A conflict is open, and the push that was under way succeeds: the record is not dirty.
    let pushed_in_conflict = async |seen: Option<i64>| {
        let scene = scene(Base::Known, Local::Changed).await;
        let claimed = scene.tracker.claim(SHOP).await.unwrap();
        let observed = scene.observe(Some(version(11)), seen).await;
        assert!(matches!(observed.verdict, Verdict::Conflict(_)));
        let synced = claimed.pushes[0].synced().fingerprint(content(3));
        assert!(synced.await.unwrap().is_applied());
        scene
    };
    let scene = pushed_in_conflict(Some(2)).await;
    let observed = scene.observe(Some(version(12)), None).await;
    assert!(matches!(observed.verdict, Verdict::Conflict(_)));
    let resolve = scene.tracker.resolve(&observed.record.unwrap(), Winner::Remote);
    assert!(resolve.await.unwrap().is_applied());
    assert_eq!(scene.record().await.status(), Status::Deleted, "it was deleted there");

    let scene = pushed_in_conflict(None).await;
    let observed = scene.observe(Some(version(12)), Some(4)).await;
    assert!(matches!(observed.verdict, Verdict::Conflict(_)));
    let resolve = scene.tracker.resolve(&observed.record.unwrap(), Winner::Remote);
    assert!(resolve.remote_fingerprint(content(4)).await.unwrap().is_applied());
    assert_eq!(scene.record().await.status(), Status::Synced, "it is back there");
}

#[tokio::test]
async fn both_sides_created_it() {
    let scene = Scene::new();
    let tracker = scene.tracker.clone().with_sources("product", [SHOP]).unwrap();
    let scene = Scene { tracker, ..scene };
    assert!(scene.tracker.created(&scene.product).await.unwrap()[0].outcome.is_applied());
    let encounter = || {
        let found = scene.tracker.encountered(&scene.product, SHOP, ID);
        found.version(version(3)).fingerprint(content(2))
    };
    let outcome = encounter().await.unwrap();
    let found = outcome.record().unwrap().clone();
    assert_eq!(found.status(), Status::Conflict);
    assert!(!encounter().await.unwrap().is_applied(), "it is known by now");
    let resolve = scene.tracker.resolve(&found, Winner::Local).remote_fingerprint(content(2));
    assert!(resolve.await.unwrap().is_applied());
    let resolved = scene.record().await;
    assert_eq!(
        (resolved.operation(), resolved.external_id.as_ref().map(ExternalId::as_str)),
        (Operation::Update, Some(ID))
    );

    // With the same content there is nothing to resolve.
    let other = EntityRef::new("product", "2").unwrap();
    assert!(scene.tracker.created(&other).await.unwrap()[0].outcome.is_applied());
    let record = scene.tracker.record(&other, SHOP).await.unwrap().unwrap();
    let same = scene.tracker.encountered(&other, SHOP, "P-2").fingerprint(content(1));
    assert!(same.same_as(&record).await.unwrap().is_applied());
    assert!(scene.tracker.is_synced(&other, SHOP).await.unwrap());
    // Unless the entity changed since it was compared.
    let third = EntityRef::new("product", "3").unwrap();
    assert!(scene.tracker.created(&third).await.unwrap()[0].outcome.is_applied());
    let record = scene.tracker.record(&third, SHOP).await.unwrap().unwrap();
    assert!(scene.tracker.updated(&third).await.unwrap()[0].outcome.is_applied());
    let same = scene.tracker.encountered(&third, SHOP, "P-3").fingerprint(content(1));
    let refused = same.same_as(&record).await.unwrap();
    assert_eq!(refused.refusal(), Some(&Refusal::RevisionMoved));
}

#[tokio::test]
async fn an_echo_is_consumed_once_and_by_content() {
    let scene = Scene::in_step().await;
    scene.updated().await;
    let claimed = scene.tracker.claim(SHOP).await.unwrap();
    let push = &claimed.pushes[0];
    assert!(push.expect_echo(&content(2)).await.unwrap().is_applied());
    // The event comes before the reply, and a foreign edit as well.
    let foreign = scene.observe(None, Some(7)).await;
    assert_eq!(foreign.verdict, Verdict::Conflict(EditEdit));
    assert!(foreign.near_miss);
    assert_eq!(scene.tracker.inbound_counts().near_misses, 1);

    let scene = Scene::in_step().await;
    scene.updated().await;
    let claimed = scene.tracker.claim(SHOP).await.unwrap();
    let push = &claimed.pushes[0];
    assert!(push.expect_echo(&content(2)).await.unwrap().is_applied());
    assert_eq!(scene.observe(Some(version(11)), Some(2)).await.verdict, Verdict::Echo);
    assert_eq!(scene.tracker.inbound_counts().echoes, 1);
    let again = scene.observe(Some(version(11)), Some(2)).await;
    assert_ne!(again.verdict, Verdict::Echo, "it was consumed");
    assert!(push.synced().fingerprint(content(2)).await.unwrap().is_applied());
    assert_eq!(scene.observe(Some(version(11)), Some(2)).await.verdict, Verdict::Same);
    let record = scene.record().await;
    assert_eq!((record.status(), record.echoes.len()), (Status::Synced, 0));
}

#[tokio::test]
async fn a_success_that_tells_version_and_content_expects_no_echo() {
    let scene = Scene::in_step().await;
    let tracker = &scene.tracker;
    assert!(tracker.expect_echo(&scene.product, SHOP, &content(2)).await.unwrap().is_applied());
    assert!(tracker.expect_echo(&scene.product, SHOP, &content(3)).await.unwrap().is_applied());
    let synced = tracker.mark_synced(&scene.product, SHOP).fingerprint(content(2));
    assert!(synced.remote_version(version(11)).await.unwrap().is_applied());
    assert_eq!(scene.record().await.echoes, [content(3)]);
    // The event of this push is the same; somebody putting that content back later is news.
    assert_eq!(scene.observe(Some(version(11)), Some(2)).await.verdict, Verdict::Same);
    let synced = tracker.mark_synced(&scene.product, SHOP).fingerprint(content(3));
    assert!(synced.remote_version(version(12)).await.unwrap().is_applied());
    assert_eq!(scene.observe(Some(version(13)), Some(2)).await.verdict, Verdict::Newer);
}

#[tokio::test]
async fn what_is_in_the_remote_already_need_not_be_pushed() {
    let scene = Scene::in_step().await;
    scene.updated().await;
    let claimed = scene.tracker.claim(SHOP).await.unwrap();
    let push = &claimed.pushes[0];
    assert!(push.is_unchanged(&content(1)));
    assert!(!push.is_unchanged(&content(2)));
    assert!(push.release().await.unwrap().is_applied());
    // Not if something newer was seen there.
    let hint = scene.tracker.observe(SHOP, "product", ID).version(version(11));
    assert_eq!(hint.await.unwrap().verdict, Verdict::Newer);
    assert!(!scene.record().await.is_unchanged(&content(1)));
}

#[tokio::test]
async fn what_was_read_counts_whatever_its_version_unless_something_came_between() {
    let scene = Scene::in_step().await;
    let record = scene.record().await;
    let read = |stamp, seen: i64, since| {
        let observe = scene.tracker.observe(SHOP, "product", ID).version(stamp);
        observe.content(&value(seen)).read_since(since)
    };
    let observed = read(version(10), 2, &record).await.unwrap();
    assert_eq!(observed.verdict, Verdict::Newer, "the same version with other content");
    let since = observed.record.unwrap();
    let observed = read(etag(7), 3, &since).await.unwrap();
    assert_eq!(observed.verdict, Verdict::Newer, "no order");
    let late = read(etag(6), 4, &record).await.unwrap();
    assert_eq!(late.verdict, Verdict::Unordered, "the record was written since");
    assert!(late.verdict.asks_to_read());
    let scene = Scene::in_step().await;
    let record = scene.record().await;
    let lagging = scene.tracker.observe(SHOP, "product", ID).version(version(9));
    let lagging = lagging.content(&value(2)).read_since(&record).await.unwrap();
    assert_eq!(lagging.verdict, Verdict::Stale, "read from a copy that lags behind");
}

#[tokio::test]
async fn a_report_that_comes_late_does_not_undo_what_was_seen_meanwhile() {
    for stamp in [version, etag] {
        let scene = Scene::in_step().await;
        scene.updated().await;
        let claimed = scene.tracker.claim(SHOP).await.unwrap();
        let push = &claimed.pushes[0];
        // The push makes version 11; then somebody edits there, and that is told first.
        let record = scene.record().await;
        let edited = scene.tracker.observe(SHOP, "product", ID).version(stamp(12));
        let edited = edited.fingerprint(content(3)).read_since(&record).await.unwrap();
        assert_eq!(edited.verdict, Verdict::Conflict(EditEdit));
        let resolve = scene.tracker.resolve(&edited.record.unwrap(), Winner::Remote);
        assert!(resolve.remote_fingerprint(content(3)).await.unwrap().is_applied());
        let synced = push.synced().fingerprint(content(2)).remote_version(stamp(11));
        assert!(synced.await.unwrap().is_applied());
        let record = scene.record().await;
        assert_eq!(
            (record.remote_version.clone(), record.status()),
            (Some(stamp(12)), Status::Synced)
        );
        assert!(!record.is_unchanged(&content(2)));
        // What the push had put there is put back by somebody else: that is news.
        let back = scene.observe(Some(stamp(13)), Some(2)).await;
        assert!(matches!(back.verdict, Verdict::Newer | Verdict::Unordered), "{:?}", back.verdict);
    }
}

#[tokio::test]
async fn a_report_is_the_base_also_if_its_event_came_first() {
    for stamp in [version, etag] {
        for seen_before in [false, true] {
            let scene = Scene::new();
            let synced = scene.tracker.mark_synced(&scene.product, SHOP).external_id(ID);
            let synced = if seen_before { synced.remote_version(stamp(10)) } else { synced };
            assert!(synced.await.unwrap().is_applied());
            scene.updated().await;
            let claimed = scene.tracker.claim(SHOP).await.unwrap();
            let push = &claimed.pushes[0];
            assert!(push.expect_echo(&content(2)).await.unwrap().is_applied());
            let echo = scene.observe(Some(stamp(11)), Some(2)).await;
            assert_eq!(echo.verdict, Verdict::Echo);
            let synced = push.synced().fingerprint(content(2)).remote_version(stamp(11));
            assert!(synced.await.unwrap().is_applied());
            assert!(scene.record().await.is_unchanged(&content(2)));
        }
    }
}
