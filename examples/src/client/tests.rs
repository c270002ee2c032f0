//! What the client makes of each answer, and of none.

use super::*;
use crate::catalog::{self, Product};
use crate::shop::{Faults, Rate, Shop};

fn product(handle: &str) -> Product {
    let csv = format!("Handle,Title,Price\n{handle},A title,9.5\n");
    catalog::parse(csv.as_bytes()).unwrap().remove(0)
}

fn rate(share: f64) -> Rate {
    share.try_into().unwrap()
}

async fn open(faults: Faults) -> (Shop, ShopClient) {
    let shop = Shop::start(faults).await.unwrap();
    let client = ShopClient::new(shop.url(), Duration::from_secs(10)).unwrap();
    (shop, client)
}

#[tokio::test]
async fn a_product_is_made_found_updated_and_removed() {
    let (shop, client) = open(Faults::NONE).await;
    let cup = product("cup & saucer/ü");
    assert_eq!(client.find(&cup.handle).await, Ok(None));
    let made = client.create(&cup).await.unwrap();
    assert_eq!((made.version, client.find(&cup.handle).await), (1, Ok(Some(made.clone()))));
    let updated = client.update(&made.id, &cup).await.unwrap();
    assert_eq!((updated.id, updated.version), (made.id.clone(), 2));
    assert_eq!(shop.products()[0].product, serde_json::to_value(&cup).unwrap());
    assert_eq!(client.delete(&made.id).await, Ok(()));
    assert_eq!(client.delete(&made.id).await, Err(ShopError::NotFound));
    assert_eq!(client.update(&made.id, &cup).await, Err(ShopError::NotFound));
    assert_eq!(client.update("../?#/%", &cup).await, Err(ShopError::NotFound));
}

#[tokio::test]
async fn of_several_products_with_one_handle_the_first_is_found() {
    let (_shop, client) = open(Faults::NONE).await;
    let first = client.create(&product("cup")).await.unwrap();
    client.create(&product("cup")).await.unwrap();
    assert_eq!(client.find("cup").await, Ok(Some(first)));
}

#[tokio::test]
async fn a_throttled_request_says_how_long_to_wait_and_the_next_one_succeeds() {
    let retry_after = Duration::from_secs(3);
    let (_shop, client) = open(Faults { throttle: rate(0.5), retry_after, ..Faults::NONE }).await;
    let throttled = client.create(&product("cup")).await.unwrap_err();
    assert_eq!(throttled, ShopError::Throttled { retry_after: Some(retry_after) });
    assert_eq!(throttled.to_string(), "the shop is throttling, wait 3 s");
    assert!(client.create(&product("cup")).await.is_ok());
}

#[tokio::test]
async fn a_server_error_is_told_from_a_refused_product() {
    let (shop, client) =
        open(Faults { error: rate(0.3), invalid: rate(0.5), ..Faults::NONE }).await;
    let failed = client.create(&product("cup")).await;
    assert_eq!(failed, Err(ShopError::Server { status: 500 }));
    assert!(client.create(&product("cup")).await.is_ok());
    let refused = client.create(&product("bowl")).await.unwrap_err();
    assert_eq!(refused.to_string(), r#"the shop refuses "title": "is not allowed in this shop""#);
    assert_eq!(shop.log().creates(), 1);
}

#[tokio::test]
async fn an_address_that_is_not_a_shop_is_rejected() {
    let (shop, _) = open(Faults::NONE).await;
    let elsewhere = format!("{}/elsewhere/", shop.url());
    let client = ShopClient::new(&elsewhere, Duration::from_secs(10)).unwrap();
    assert_eq!(client.find("cup").await, Err(ShopError::NotFound));
    for bad in ["", "shop", "mailto:shop@example.com"] {
        let refused = ShopClient::new(bad, Duration::from_secs(1)).unwrap_err();
        assert!(matches!(refused, ShopError::Setup { .. }), "{bad:?}");
    }
}

#[tokio::test]
async fn without_a_shop_nothing_is_sent() {
    let shop = Shop::start(Faults::NONE).await.unwrap();
    let client = ShopClient::new(shop.url(), Duration::from_secs(10)).unwrap();
    shop.stop().await;
    let refused = client.create(&product("cup")).await.unwrap_err();
    assert!(matches!(refused, ShopError::NotSent { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_slow_answer_is_no_answer_though_the_product_is_made_once() {
    let slow_by = Duration::from_secs(60);
    let shop = Shop::start(Faults { slow: rate(0.5), slow_by, ..Faults::NONE }).await.unwrap();
    let client = ShopClient::new(shop.url(), Duration::from_secs(1)).unwrap();
    let silence = client.create(&product("cup")).await.unwrap_err();
    assert!(matches!(silence, ShopError::NoAnswer { .. }), "{silence:?}");
    assert!(client.find("cup").await.unwrap().is_some());
    assert_eq!(shop.log().creates(), 1);
    assert!(!shop.log().entries()[0].delivered);
}

async fn telling() -> (Shop, ShopClient) {
    let (shop, _) = Shop::start_telling(Faults::NONE).await.unwrap();
    let client = ShopClient::new(shop.url(), Duration::from_secs(10)).unwrap();
    (shop, client)
}

#[tokio::test]
async fn a_change_on_condition_is_made_only_of_that_version() {
    let (shop, client) = telling().await;
    let cup = product("cup");
    let made = client.create(&cup).await.unwrap();
    assert_eq!(client.update_if(&made.id, 1, &cup).await.unwrap().version, 2);
    assert_eq!(client.update_if(&made.id, 1, &cup).await, Err(ShopError::Moved));
    assert_eq!(client.delete_if(&made.id, 1).await, Err(ShopError::Moved));
    assert_eq!(shop.products()[0].version, 2);
    assert_eq!(client.delete_if(&made.id, 2).await, Ok(()));
    assert_eq!(client.delete_if(&made.id, 3).await, Err(ShopError::NotFound));
    // The staff puts it back, as it was, at a later version.
    assert!(shop.staff().restore(&made.id).is_some());
    assert_eq!(client.look(&made.id).await.unwrap().version, Some(4));
}

#[tokio::test]
async fn a_create_is_made_once_for_a_key_and_for_a_handle() {
    let (shop, client) = telling().await;
    let (cup, key) = (product("cup"), Uuid::from_u128(1));
    let made = client.create_once(key, &cup).await.unwrap();
    let taken = |same_key| Err(ShopError::Taken { by: made.id.clone(), same_key });
    assert_eq!(client.create_once(Uuid::from_u128(2), &cup).await, taken(false));
    assert_eq!(client.create(&cup).await, taken(false));
    assert_eq!(client.delete(&made.id).await, Ok(()));
    assert_eq!(client.create_once(key, &cup).await, taken(true), "even if it is gone");
    assert!(client.create_once(Uuid::from_u128(2), &cup).await.is_ok());
    assert_eq!(shop.staff().restore(&made.id), None, "its handle is in use");
}

#[tokio::test]
async fn what_was_merged_says_into_what() {
    let (shop, client) = telling().await;
    let [cup, mug] = ["cup", "mug"].map(product);
    let (cup, mug) = (client.create(&cup).await.unwrap(), client.create(&mug).await.unwrap());
    assert_eq!(shop.staff().merge(&cup.id, &cup.id), None);
    assert!(shop.staff().merge(&cup.id, &mug.id).is_some());
    assert_eq!(client.look(&cup.id).await.unwrap().state, State::MergedInto(mug.id.clone()));
    let merged = ShopError::Merged { into: mug.id.clone() };
    assert_eq!(client.update(&cup.id, &product("cup")).await, Err(merged.clone()));
    assert_eq!(client.delete(&cup.id).await, Err(merged));
    assert_eq!(client.look(&mug.id).await.unwrap().version, Some(1));
}

#[tokio::test]
async fn a_listing_shows_each_product_once_page_by_page() {
    let (shop, client) = telling().await;
    for number in 0..5 {
        client.create(&product(&format!("cup-{number}"))).await.unwrap();
    }
    let all: Vec<_> = shop.products().into_iter().map(|it| it.id).collect();
    assert_eq!(client.delete(&all[2]).await, Ok(()));
    let (mut after, mut seen, mut pages) = (None, Vec::new(), 0);
    loop {
        let page = client.list(after.as_deref(), 2).await.unwrap();
        seen.extend(page.products.into_iter().map(|it| it.id));
        (after, pages) = (page.next, pages + 1);
        if after.is_none() {
            break;
        }
    }
    assert_eq!(
        (seen, pages),
        (vec![&all[0], &all[1], &all[3], &all[4]].into_iter().cloned().collect(), 2)
    );
}
