//! Sources that are paused.

use sync_tracker_core::{Filter, Key, PauseReason, PauseRequest, Source, rules};

use crate::ground::{Ground, product, request, shop, span};

async fn pause(ground: &Ground, millis: Option<u64>) {
    let request =
        PauseRequest { span: millis.map(span), reason: PauseReason::new("maintenance\n✋") };
    ground.store.pause(&shop(), &request).await.expect("paused");
}

pub async fn a_paused_source_is_not_claimed(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &rules::created()).await;
    assert_eq!(ground.store.paused(&shop()).await.unwrap(), None);
    pause(&ground, None).await;
    let since = ground.now();
    ground.advance(1_000_000);
    assert!(ground.claim(&request(1)).await.is_empty());
    let lasting = ground.store.paused(&shop()).await.unwrap().expect("it lasts");
    assert_eq!((lasting.since, lasting.until), (since, None));
    assert_eq!(lasting.reason.as_str(), "maintenance\n✋");
    ground.store.resume(&shop()).await.unwrap();
    assert_eq!(ground.store.paused(&shop()).await.unwrap(), None);
    ground.lease(&key).await;
    ground.store.resume(&shop()).await.expect("resuming what is not paused changes nothing");
}

pub async fn a_pause_is_over_to_the_millisecond(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &rules::created()).await;
    pause(&ground, Some(1_000)).await;
    ground.advance(999);
    assert!(ground.claim(&request(1)).await.is_empty());
    let lasting = ground.store.paused(&shop()).await.unwrap().expect("it lasts");
    assert_eq!(lasting.until, Some(ground.now().plus(span(1))));
    ground.advance(1);
    assert_eq!(ground.store.paused(&shop()).await.unwrap(), None);
    ground.lease(&key).await;
}

pub async fn a_pause_replaces_the_one_before(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &rules::created()).await;
    pause(&ground, None).await;
    pause(&ground, Some(10)).await;
    ground.advance(11);
    ground.lease(&key).await;
    pause(&ground, Some(10)).await;
    pause(&ground, None).await;
    ground.advance(10);
    assert!(ground.store.paused(&shop()).await.unwrap().is_some());
}

pub async fn a_pause_is_of_one_source(ground: Ground) {
    let other = Source::new("other").unwrap();
    ground.applied(&product("1"), &rules::created()).await;
    ground.store.pause(&other, &PauseRequest::default()).await.unwrap();
    ground.lease(&product("1")).await;
    assert_eq!(ground.store.paused(&shop()).await.unwrap(), None);
}

pub async fn leases_outlast_a_pause(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &rules::created()).await;
    ground.applied(&product("2"), &rules::created()).await;
    let claim = request(1);
    let leased = ground.claim(&claim).await;
    pause(&ground, None).await;
    assert_eq!(ground.claim(&claim).await, leased, "a repeated claim gets its leases");
    let token = leased.leased[0].token;
    ground.applied(&key, &rules::renew(token, span(10))).await;
    ground.applied(&key, &rules::release(token)).await;
    assert!(ground.claim(&request(2)).await.is_empty());
}

pub async fn a_pause_leaves_no_trace_among_records(ground: Ground) {
    pause(&ground, None).await;
    assert_eq!(ground.walk(&Filter::default(), 1).await, Vec::<Key>::new());
    assert_eq!(ground.counts().await.total(), 0);
    ground.is_sound().await;
}
