//! What the client makes of each answer, and of none.

use super::*;
use crate::catalog;
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
