//! Records that the ledger keeps for its own use.

use sync_tracker_core::{Filter, Key, rules};

use crate::ground::{Ground, product, request, shop};

/// Even if it is due, as the record of a pause that is over.
pub async fn what_is_reserved_stays_out_of_sight(ground: Ground) {
    let reserved = Key::new("shop", "sync-tracker/anything", "1").unwrap();
    let nearly = Key::new("shop", "sync-trackers", "1").unwrap();
    ground.applied(&reserved, &rules::created()).await;
    ground.advance(1);
    for key in [&product("1"), &nearly] {
        ground.applied(key, &rules::created()).await;
    }
    assert_eq!(ground.walk(&Filter::default(), 1).await, [product("1"), nearly.clone()]);
    let due = Filter { source: Some(shop()), due: Some(true), ..Filter::default() };
    assert_eq!(ground.walk(&due, 10).await, [product("1"), nearly.clone()]);
    let of_type = Some(reserved.entity.entity_type.clone());
    let asked_for = Filter { entity_type: of_type, ..Filter::default() };
    assert_eq!(ground.walk(&asked_for, 10).await, std::slice::from_ref(&reserved));

    let statistics = ground.store.statistics(&shop()).await.unwrap();
    assert_eq!((statistics.counts.total(), statistics.due_now), (2, 2));
    assert_eq!(statistics.oldest_pending, Some(ground.now()));
    let claimed = ground.claim(&request(10)).await;
    let keys: Vec<_> = claimed.leased.iter().map(|record| record.key.clone()).collect();
    assert_eq!(keys, [product("1"), nearly]);
    ground.is_sound().await;
    assert_eq!(ground.record(&reserved).await.version.get(), 1, "nobody took it");
}
