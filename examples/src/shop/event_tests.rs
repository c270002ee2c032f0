//! What a shop tells, and how it is delivered.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;

use super::*;

/// Receives events, and refuses the first delivery of all.
async fn receiver() -> (String, Arc<Mutex<Vec<ShopEvent>>>) {
    type Heard = Arc<Mutex<Vec<ShopEvent>>>;
    async fn receive(State(heard): State<Heard>, Json(event): Json<ShopEvent>) -> StatusCode {
        let mut heard = heard.lock().unwrap();
        heard.push(event);
        if heard.len() == 1 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
    }
    let heard = Heard::default();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let router = Router::new().route("/", post(receive)).with_state(Arc::clone(&heard));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, heard)
}

async fn delivered(manners: Manners, products: u64) -> (Vec<ShopEvent>, Sent) {
    let (shop, events) = Shop::start_telling(Faults::NONE).await.unwrap();
    let (url, heard) = receiver().await;
    let courier = Courier::start(events, url, manners);
    for number in 0..products {
        let product = json!({ "handle": format!("cup-{number}"), "title": "A cup" });
        assert!(shop.staff().create(product).is_some());
    }
    let waiting = async {
        while courier.waiting() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap();
    let heard = heard.lock().unwrap().clone();
    (heard, courier.sent())
}

const GOOD: Manners =
    Manners { seed: 1, twice: 0.0, lost: 0.0, thin: 0.0, longest: Duration::ZERO };

#[tokio::test]
async fn every_event_comes_once_and_again_if_it_was_refused() {
    let (heard, sent) = delivered(GOOD, 5).await;
    assert_eq!(sent, Sent { events: 5, refused: 1, ..Sent::default() });
    let mut ids: Vec<_> = heard.iter().map(|event| event.event_id.clone()).collect();
    assert_eq!(ids.len(), 6, "one was sent again");
    ids.sort();
    ids.dedup();
    assert_eq!(ids, [1, 2, 3, 4, 5].map(|number| format!("event-{number}")));
    assert!(heard.iter().all(|event| event.kind == EventKind::Created && event.version == Some(1)));
}

#[tokio::test]
async fn a_bad_courier_loses_repeats_and_thins_events() {
    let manners = Manners { twice: 0.5, lost: 0.2, thin: 0.5, ..GOOD };
    let (heard, sent) = delivered(manners, 100).await;
    assert!(sent.lost > 0 && sent.twice > 0, "{sent:?}");
    let deliveries = sent.events - sent.lost + sent.twice + sent.refused;
    assert_eq!(heard.len(), usize::try_from(deliveries).unwrap());
    assert!(heard.iter().any(|event| event.product.is_none()));
    assert!(heard.iter().any(|event| event.product.is_some()));
    let (_, none) = delivered(Manners { lost: 1.0, ..GOOD }, 3).await;
    assert_eq!(none, Sent { events: 3, lost: 3, ..Sent::default() });
}

#[tokio::test]
async fn every_change_is_told_whoever_made_it() {
    let (shop, mut events) = Shop::start_telling(Faults::NONE).await.unwrap();
    let staff = shop.staff();
    let [cup, mug] = ["cup", "mug"].map(|handle| {
        let product = json!({ "handle": handle, "title": "A title" });
        staff.create(product).unwrap()
    });
    assert!(staff.edit(&cup, "title", json!("Cup")).is_some());
    assert!(staff.delete(&cup).is_some() && staff.restore(&cup).is_some());
    assert!(staff.merge(&cup, &mug).is_some());
    let mut told = Vec::new();
    while let Ok(event) = events.events.try_recv() {
        assert_eq!(
            event.product.is_some(),
            event.version.is_some() && event.kind != EventKind::Deleted
        );
        told.push((event.kind, event.id, event.version, event.merged_into));
    }
    let of = |kind, id: &String, version| (kind, id.clone(), Some(version), None);
    assert_eq!(
        told,
        [
            of(EventKind::Created, &cup, 1),
            of(EventKind::Created, &mug, 1),
            of(EventKind::Updated, &cup, 2),
            of(EventKind::Deleted, &cup, 3),
            of(EventKind::Restored, &cup, 4),
            (EventKind::Merged, cup.clone(), None, Some(mug)),
        ]
    );
}
