//! What the shop decides, without a network.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use super::clerk::{Answer, Delivery, Request};
use super::*;

fn rate(share: f64) -> Rate {
    share.try_into().unwrap()
}

fn product(handle: &str) -> Value {
    json!({ "handle": handle, "title": "A title" })
}

fn create(shop: &mut Clerk, handle: &str) -> Answer {
    shop.serve(Request::Create(product(handle), None))
}

fn id(answer: &Answer) -> String {
    answer.body["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_product_is_made_updated_found_and_removed() {
    let mut shop = Clerk::new(&Faults::NONE);
    let made = create(&mut shop, "cup");
    assert_eq!((made.status, &made.body["version"]), (201, &json!(1)));
    let id = id(&made);

    let renamed = shop.serve(Request::Update(id.clone(), product("mug"), None));
    assert_eq!((renamed.status, renamed.body), (200, json!({ "id": id, "version": 2 })));
    let found = shop.serve(Request::Find("mug".into())).body;
    assert_eq!(found, json!({ "products": [{ "id": id, "version": 2, "handle": "mug" }] }));
    let got = shop.serve(Request::Get(id.clone()));
    assert_eq!((got.status, &got.body["product"]), (200, &product("mug")));

    assert_eq!(shop.serve(Request::Delete(id.clone(), None)).status, 204);
    assert_eq!(shop.serve(Request::Find("mug".into())).body, json!({ "products": [] }));
    let log = shop.log();
    let done: Vec<_> = log.entries().iter().map(|it| (it.seq, it.kind, &*it.handle)).collect();
    assert_eq!(
        done,
        [(1, Kind::Create, "cup"), (2, Kind::Update, "mug"), (3, Kind::Delete, "mug")]
    );
    assert!(log.entries().iter().all(|it| it.id == id));
    assert_eq!(log.requests(), 6);
}

#[test]
fn a_shop_that_keeps_its_changes_goes_on_with_them_even_if_the_last_was_cut_off() {
    let file = std::env::temp_dir().join(format!("shop-{}.jsonl", std::process::id()));
    let open = || Clerk::new(&Faults::NONE).keeping(&file);
    let mut shop = open().unwrap();
    let ids = ["cup", "mug", "jug"].map(|handle| id(&create(&mut shop, handle)));
    shop.serve(Request::Update(ids[0].clone(), product("bowl"), None));
    shop.serve(Request::Delete(ids[2].clone(), None));
    shop.serve(Request::Delete("gid-1".into(), None));
    let (log, products) = (shop.log().clone(), shop.shelf().all());
    drop(shop);

    let whole = fs::read(&file).unwrap();
    fs::write(&file, [&whole[..], b"{\"kind\":\"create\",\"id\":\"gid-"].concat()).unwrap();
    let mut shop = open().unwrap();
    assert_eq!(fs::read(&file).unwrap(), whole);
    assert_eq!((shop.log().entries(), shop.shelf().all()), (log.entries(), products));
    assert_eq!(id(&create(&mut shop, "pan")), "gid-1000004");
    drop(shop);
    assert_eq!(open().unwrap().log().creates(), 4);

    fs::write(&file, [&whole[..], b"{}\n"].concat()).unwrap();
    assert_eq!(open().unwrap_err().kind(), io::ErrorKind::InvalidData);
    let torn = whole.split_inclusive(|byte| *byte == b'\n').skip(1).collect::<Vec<_>>().concat();
    fs::write(&file, torn).unwrap();
    assert!(open().is_err(), "the first line is missing");
    fs::remove_file(file).unwrap();
}

#[test]
fn who_watches_is_told_of_each_change_when_it_is_made_and_when_it_is_answered() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&told);
    let watch = Watch::new(move |moment, seq| notes.lock().unwrap().push((moment, seq)));
    let mut shop = Clerk::new(&Faults::NONE).watched(watch);
    create(&mut shop, "cup");
    shop.serve(Request::Find("cup".into()));
    create(&mut shop, "mug");
    shop.delivered(1);
    use Moment::{Answered, Made};
    assert_eq!(*told.lock().unwrap(), [(Made, 1), (Made, 2), (Answered, 1)]);
}

#[test]
fn an_unknown_id_is_not_found_and_leaves_no_trace() {
    let mut shop = Clerk::new(&Faults::NONE);
    create(&mut shop, "cup");
    for unknown in ["gid-1", "gid-01000001", "gid-+1000001", "1000001", ""] {
        let id = unknown.to_owned();
        assert_eq!(shop.serve(Request::Get(id.clone())).status, 404, "{unknown}");
        assert_eq!(shop.serve(Request::Delete(id.clone(), None)).status, 404);
        assert_eq!(shop.serve(Request::Update(id, product("cup"), None)).status, 404);
    }
    assert_eq!(shop.log().last_seq(), 1);
}

#[test]
fn a_second_create_of_a_handle_makes_a_duplicate_even_after_a_delete() {
    let mut shop = Clerk::new(&Faults::NONE);
    let first = id(&create(&mut shop, "cup"));
    let second = id(&create(&mut shop, "cup"));
    assert_ne!(first, second);
    let found = shop.serve(Request::Find("cup".into())).body;
    assert_eq!([&found["products"][0]["id"], &found["products"][1]["id"]], [&first, &second]);

    shop.serve(Request::Delete(first, None));
    shop.serve(Request::Delete(second, None));
    create(&mut shop, "cup");
    create(&mut shop, "bowl");
    let log = shop.log();
    assert_eq!((log.creates(), log.updates(), log.deletes()), (4, 0, 2));
    assert_eq!(log.duplicates(), 2);
    assert_eq!(log.since(4).iter().map(|it| &*it.handle).collect::<Vec<_>>(), ["cup", "bowl"]);
    assert_eq!((log.since(0).len(), log.since(6).len(), log.since(99).len()), (6, 0, 0));
}

#[test]
fn a_product_without_handle_or_title_is_refused_and_is_no_fault() {
    let mut shop = Clerk::new(&Faults::NONE);
    for (body, field) in [
        (json!({ "title": "Cup" }), "handle"),
        (json!({ "handle": "", "title": "Cup" }), "handle"),
        (json!({ "handle": "cup", "title": 7 }), "title"),
        (json!("cup"), "handle"),
    ] {
        let refused = shop.serve(Request::Create(body, None));
        assert_eq!((refused.status, &refused.body["error"]["field"]), (422, &json!(field)));
    }
    assert_eq!(shop.log().faults(), FaultCounts::default());
}

#[test]
fn a_throttled_or_failed_request_does_nothing_and_is_not_counted_further() {
    let faults = Faults {
        throttle: rate(0.5),
        error: rate(0.5),
        retry_after: Duration::from_secs(7),
        ..Faults::NONE
    };
    let mut shop = Clerk::new(&faults);
    let answers: Vec<_> = (0..8).map(|_| create(&mut shop, "cup")).collect();
    let statuses: Vec<_> = answers.iter().map(|it| it.status).collect();
    assert_eq!(statuses, [429, 500, 429, 201, 429, 500, 429, 201]);
    assert_eq!(answers[0].retry_after, Some(Duration::from_secs(7)));
    assert_eq!(answers[1].retry_after, None);
    assert_eq!(shop.log().creates(), 2);
    assert_eq!((shop.log().faults().throttled, shop.log().faults().errors), (4, 2));
}

#[test]
fn lookups_are_throttled_and_fail_like_changes() {
    let faults = Faults { throttle: rate(0.5), error: rate(0.5), ..Faults::NONE };
    let mut shop = Clerk::new(&faults);
    let statuses = [(); 4].map(|()| shop.serve(Request::Find("cup".into())).status);
    assert_eq!(statuses, [429, 500, 429, 200]);
}

#[test]
fn an_invalid_handle_is_refused_for_ever_for_create_and_update() {
    let mut shop = Clerk::new(&Faults { invalid: rate(0.5), ..Faults::NONE });
    let id = id(&create(&mut shop, "cup"));
    for _ in 0..3 {
        let refused = create(&mut shop, "bowl");
        assert_eq!(refused.status, 422);
        assert!(refused.body["error"]["field"].is_string());
        assert!(refused.body["error"]["message"].is_string());
        assert_eq!(shop.serve(Request::Update(id.clone(), product("bowl"), None)).status, 422);
        assert_eq!(shop.serve(Request::Update(id.clone(), product("cup"), None)).status, 200);
    }
    assert_eq!(shop.log().faults().invalid, 6);
    assert_eq!((shop.log().creates(), shop.log().updates()), (1, 3));
}

#[test]
fn only_a_create_that_was_done_loses_its_reply_and_it_is_not_slow_as_well() {
    let slow_by = Duration::from_millis(5);
    let faults = Faults { lost_reply: rate(0.5), slow: rate(0.5), slow_by, ..Faults::NONE };
    let mut shop = Clerk::new(&faults);
    let mut deliveries = vec![shop.serve(Request::Delete("gid-1".into(), None)).delivery];
    deliveries.extend((0..4).map(|_| create(&mut shop, "cup").delivery));
    deliveries.extend((0..2).map(|_| shop.serve(Request::Find("cup".into())).delivery));
    let (lost, late, at_once) = (Delivery::Lost, Delivery::After(slow_by), Delivery::AtOnce);
    assert_eq!(deliveries, [at_once, lost, late, lost, at_once, late, at_once]);
    let counts = FaultCounts { lost_replies: 2, slow: 2, ..FaultCounts::default() };
    assert_eq!(shop.log().faults(), counts);
    assert_eq!(shop.log().creates(), 4);
}
