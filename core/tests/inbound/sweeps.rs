//! Full listings, and what they do not show.

use sync_tracker_core::{
    EntityRef, Plausible, Refusal, Status, Sweep, SweepReport, Swept, Tracker, Verdict,
};

use super::scene::{SHOP, Scene, version};

fn product(number: usize) -> EntityRef {
    EntityRef::new("product", number.to_string()).unwrap()
}

fn external_id(number: usize) -> String {
    format!("P-{number}")
}

/// So many products that are in step, a second ago.
async fn shop_of(products: usize) -> Scene {
    let scene = Scene::new();
    for number in 0..products {
        let synced = scene.tracker.mark_synced(&product(number), SHOP);
        assert!(synced.external_id(external_id(number)).await.unwrap().is_applied());
    }
    scene.advance(1_000);
    scene
}

async fn begin(tracker: &Tracker) -> Sweep {
    tracker.begin_sweep(SHOP, "product").await.unwrap()
}

async fn finish(tracker: &Tracker, sweep: &Sweep) -> SweepReport {
    match tracker.finish_sweep(sweep, Plausible::default()).await.unwrap() {
        Swept::Done(report) => report,
        implausible @ Swept::Implausible { .. } => panic!("{implausible:?}"),
    }
}

fn missing(report: &SweepReport) -> Vec<EntityRef> {
    report.missing.iter().map(|record| record.key.entity.clone()).collect()
}

#[tokio::test]
async fn what_a_complete_listing_does_not_show_is_missing() {
    let scene = shop_of(20).await;
    let tracker = &scene.tracker;
    assert!(tracker.updated(product(7)).await.unwrap()[0].outcome.is_applied());
    let sweep = begin(tracker).await;
    let seen = (0..20).filter(|number| ![3, 7].contains(number)).map(external_id);
    assert_eq!(tracker.saw(&sweep, seen).await.unwrap(), 18);
    assert_eq!(tracker.saw(&sweep, ["P-unknown"]).await.unwrap(), 0);
    let report = finish(tracker, &sweep).await;
    assert_eq!((report.seen, missing(&report)), (18, vec![product(3), product(7)]));

    let gone = &report.missing[0];
    assert!(gone.remote_deleted_at.is_some() && gone.status() == Status::Synced);
    assert_eq!(report.missing[1].status(), Status::Conflict, "it has something to push");
    assert!(tracker.accept_missing(gone).await.unwrap().is_applied());
    assert_eq!(tracker.status(&product(3), SHOP).await.unwrap(), Some(Status::Deleted));
    assert_eq!(tracker.status(&product(4), SHOP).await.unwrap(), Some(Status::Synced));
}

#[tokio::test]
async fn a_sweep_that_is_dropped_changes_nothing() {
    let scene = shop_of(5).await;
    let sweep = begin(&scene.tracker).await;
    scene.tracker.saw(&sweep, [external_id(0)]).await.unwrap();
    for number in 1..5 {
        let record = scene.tracker.record(&product(number), SHOP).await.unwrap().unwrap();
        assert_eq!(record.remote_deleted_at, None);
        assert_eq!(record.status(), Status::Synced);
    }
}

#[tokio::test]
async fn too_much_missing_is_not_believed_unless_the_caller_says_so() {
    let scene = shop_of(100).await;
    let tracker = &scene.tracker;
    let sweep = begin(tracker).await;
    // 11 of 100 are missing: more than 10 %, and more than 10.
    tracker.saw(&sweep, (0..89).map(external_id)).await.unwrap();
    let refused = tracker.finish_sweep(&sweep, Plausible::default()).await.unwrap();
    assert_eq!(refused, Swept::Implausible { seen: 89, missing: 11 });
    let record = tracker.record(&product(95), SHOP).await.unwrap().unwrap();
    assert_eq!(record.remote_deleted_at, None);
    // With one more it is 10 of 100.
    tracker.saw(&sweep, [external_id(89)]).await.unwrap();
    assert_eq!(finish(tracker, &sweep).await.missing.len(), 10);
    let all = Plausible { share: 1.0, records: 0 };
    let none_of_few = Plausible { share: 0.0, records: 0 };
    let strict = tracker.finish_sweep(&sweep, none_of_few).await.unwrap();
    assert_eq!(strict, Swept::Implausible { seen: 90, missing: 10 });
    assert!(matches!(tracker.finish_sweep(&sweep, all).await.unwrap(), Swept::Done(_)));
    let error = Plausible { share: 1.5, records: 0 };
    assert!(tracker.finish_sweep(&sweep, error).await.is_err());
}

#[tokio::test]
async fn a_listing_that_shows_nothing_is_never_believed() {
    let scene = shop_of(2).await;
    let sweep = begin(&scene.tracker).await;
    let all = Plausible { share: 1.0, records: 1_000 };
    let refused = scene.tracker.finish_sweep(&sweep, all).await.unwrap();
    assert_eq!(refused, Swept::Implausible { seen: 0, missing: 2 });
    let empty = Scene::new();
    let sweep = begin(&empty.tracker).await;
    assert_eq!(finish(&empty.tracker, &sweep).await, SweepReport::default());
}

#[tokio::test]
async fn whatever_shows_that_an_object_is_there_counts() {
    let scene = shop_of(6).await;
    let tracker = &scene.tracker;
    let sweep = begin(tracker).await;
    tracker.saw(&sweep, [external_id(0)]).await.unwrap();
    // An event with news.
    let event = tracker.observe(SHOP, "product", external_id(1)).version(version(5));
    assert_eq!(event.await.unwrap().verdict, Verdict::Newer);
    // A push.
    assert!(tracker.updated(product(2)).await.unwrap()[0].outcome.is_applied());
    let claimed = tracker.claim(SHOP).await.unwrap();
    assert!(claimed.pushes[0].synced().await.unwrap().is_applied());
    // A new binding of an old record, and a new record.
    assert!(tracker.bind(&product(3), SHOP, external_id(3)).await.unwrap().is_applied());
    let synced = tracker.mark_synced(&product(9), SHOP).external_id(external_id(9));
    assert!(synced.await.unwrap().is_applied());
    let report = finish(tracker, &sweep).await;
    assert_eq!(missing(&report), [product(4), product(5)]);
}

#[tokio::test]
async fn what_is_not_in_the_remote_is_not_missed() {
    let scene = shop_of(3).await;
    let tracker = scene.tracker.clone().with_sources("product", [SHOP]).unwrap();
    // Not pushed yet; deleted here; of another type; of another source.
    assert!(tracker.created(product(7)).await.unwrap()[0].outcome.is_applied());
    assert!(tracker.deleted(product(2)).await.unwrap()[0].outcome.is_applied());
    let other = EntityRef::new("order", "1").unwrap();
    assert!(tracker.mark_synced(&other, SHOP).external_id("O-1").await.unwrap().is_applied());
    let elsewhere = tracker.mark_synced(&product(0), "crm").external_id("C-0");
    assert!(elsewhere.await.unwrap().is_applied());
    scene.advance(1_000);
    let sweep = begin(&tracker).await;
    tracker.saw(&sweep, [external_id(0)]).await.unwrap();
    let report = finish(&tracker, &sweep).await;
    assert_eq!((report.seen, missing(&report)), (1, vec![product(1)]));
}

#[tokio::test]
async fn a_sweep_goes_on_in_another_process_and_can_be_finished_twice() {
    let scene = shop_of(4).await;
    let sweep = begin(&scene.tracker).await;
    scene.tracker.saw(&sweep, [external_id(0)]).await.unwrap();
    let kept = serde_json::to_string(&sweep).unwrap();
    scene.advance(60_000);
    let resumed: Sweep = serde_json::from_str(&kept).unwrap();
    scene.tracker.saw(&resumed, [external_id(1), external_id(2)]).await.unwrap();
    let first = finish(&scene.tracker, &resumed).await;
    let since = first.missing[0].remote_deleted_at;
    scene.advance(1_000);
    let second = finish(&scene.tracker, &resumed).await;
    assert_eq!(missing(&second), [product(3)]);
    assert_eq!(second.missing[0].remote_deleted_at, since);
}

#[tokio::test]
async fn what_reappears_is_not_missing_any_more_and_not_accepted() {
    let scene = shop_of(2).await;
    let tracker = &scene.tracker;
    let sweep = begin(tracker).await;
    tracker.saw(&sweep, [external_id(0)]).await.unwrap();
    let report = finish(tracker, &sweep).await;
    let event = tracker.observe(SHOP, "product", external_id(1)).version(version(5));
    let observed = event.await.unwrap();
    assert_eq!(observed.verdict, Verdict::Newer);
    assert_eq!(observed.record.unwrap().remote_deleted_at, None);
    let refused = tracker.accept_missing(&report.missing[0]).await.unwrap();
    assert_eq!(refused.refusal(), Some(&Refusal::VersionMismatch));
}

/// Bindings, pushes and events run against a sweep: what is there is never marked as gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_never_marks_what_is_sighted_meanwhile() {
    for round in 0..200 {
        let scene = shop_of(30).await;
        let tracker = scene.tracker.clone();
        let sweep = begin(&tracker).await;
        tracker.saw(&sweep, (0..25).map(external_id)).await.unwrap();
        let events = tokio::spawn({
            let tracker = tracker.clone();
            async move {
                for number in 25..30 {
                    let stamp = version(round + 1);
                    let event = tracker.observe(SHOP, "product", external_id(number));
                    let _ = event.version(stamp).await.unwrap();
                }
            }
        });
        let report = finish(&tracker, &sweep).await;
        events.await.unwrap();
        for number in 25..30 {
            // Marked before the event, and then the event took it back; or never marked.
            let record = tracker.record(&product(number), SHOP).await.unwrap().unwrap();
            assert_eq!(record.remote_deleted_at, None, "{report:?}");
        }
    }
}
