//! What goes over the wire, byte by byte, without an HTTP client in between.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;

const CUP: &str = r#"{"handle":"cup","title":"Cup"}"#;

async fn shop(faults: Faults) -> (Shop, TcpStream) {
    let shop = Shop::start(faults).await.unwrap();
    let stream = connect(&shop).await;
    (shop, stream)
}

async fn connect(shop: &Shop) -> TcpStream {
    TcpStream::connect(shop.url().trim_start_matches("http://")).await.unwrap()
}

fn rate(share: f64) -> Rate {
    share.try_into().unwrap()
}

async fn send(stream: &mut TcpStream, line: &str, body: &str) {
    let head = format!(
        "{line} HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\ncontent-length: {}",
        body.len()
    );
    stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await.unwrap();
}

/// Reads one answer, which must have a `content-length`; empty if the connection was closed.
async fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8(bytes.clone()).unwrap();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .split_once("content-length: ")
                .map_or(0, |(_, rest)| rest.lines().next().unwrap().parse::<usize>().unwrap());
            if body.len() == length {
                return text;
            }
        }
        let mut next = [0];
        match stream.read(&mut next).await {
            Ok(1) => bytes.extend(next),
            // A reset instead of an end: either way, nothing more will come.
            Ok(_) | Err(_) => return text,
        }
    }
}

async fn wait_until(mut condition: impl FnMut() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), waiting).await.unwrap();
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let (shop, mut stream) = shop(Faults::NONE).await;
    for version in 1..=3 {
        let line = if version == 1 { "POST /products" } else { "PUT /products/gid-1000001" };
        send(&mut stream, line, CUP).await;
        let text = answer(&mut stream).await;
        assert!(
            text.ends_with(&format!(r#"{{"id":"gid-1000001","version":{version}}}"#)),
            "{text}"
        );
    }
    send(&mut stream, "GET /products?handle=cup", "").await;
    assert!(answer(&mut stream).await.contains(r#""version":3"#));
    send(&mut stream, "DELETE /products/gid-1000001", "").await;
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 204"));
    assert!(shop.log().entries().iter().all(|it| it.delivered));
}

#[tokio::test]
async fn a_lost_reply_is_a_closed_connection_without_a_single_byte() {
    let (shop, mut stream) = shop(Faults { lost_reply: rate(0.5), ..Faults::NONE }).await;
    send(&mut stream, "GET /products?handle=cup", "").await;
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200"));
    send(&mut stream, "POST /products", CUP).await;
    assert_eq!(answer(&mut stream).await, "");

    let mut second = connect(&shop).await;
    send(&mut second, "POST /products", CUP).await;
    assert!(answer(&mut second).await.starts_with("HTTP/1.1 201"));
    let log = shop.log();
    assert_eq!(log.entries().iter().map(|it| it.delivered).collect::<Vec<_>>(), [false, true]);
    assert_eq!((log.duplicates(), log.faults().lost_replies), (1, 1));
}

#[tokio::test]
async fn a_throttled_client_is_told_how_many_whole_seconds_to_wait() {
    let retry_after = Duration::from_millis(1_500);
    let (_shop, mut stream) =
        shop(Faults { throttle: rate(0.5), retry_after, ..Faults::NONE }).await;
    send(&mut stream, "POST /products", CUP).await;
    let text = answer(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 429") && text.contains("retry-after: 2\r\n"), "{text}");
    send(&mut stream, "POST /products", CUP).await;
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 201"), "the connection lives on");
}

#[tokio::test]
async fn a_client_that_hangs_up_on_a_slow_answer_does_not_undo_the_create() {
    let slow_by = Duration::from_millis(300);
    let (shop, mut stream) = shop(Faults { slow: rate(0.5), slow_by, ..Faults::NONE }).await;
    send(&mut stream, "POST /products", CUP).await;
    wait_until(|| shop.log().creates() == 1).await;
    drop(stream);
    tokio::time::sleep(slow_by * 2).await;
    let log = shop.log();
    assert_eq!((log.creates(), log.entries()[0].delivered), (1, false));
}

#[tokio::test]
async fn closing_the_shop_cuts_an_answer_short_that_takes_too_long() {
    let slow_by = Duration::from_secs(60);
    let (shop, mut stream) = shop(Faults { slow: rate(0.5), slow_by, ..Faults::NONE }).await;
    send(&mut stream, "POST /products", CUP).await;
    wait_until(|| shop.log().creates() == 1).await;
    let log = tokio::time::timeout(Duration::from_secs(10), shop.stop()).await.unwrap();
    assert_eq!((log.creates(), log.entries()[0].delivered), (1, false));
    assert_eq!(answer(&mut stream).await, "");
}

#[tokio::test]
async fn connections_do_not_wait_for_each_other() {
    let slow_by = Duration::from_secs(60);
    let (shop, mut slow) = shop(Faults { slow: rate(0.1), slow_by, ..Faults::NONE }).await;
    send(&mut slow, "POST /products", CUP).await;
    wait_until(|| shop.log().creates() == 1).await;
    let mut others = Vec::new();
    for _ in 0..4 {
        others.push(connect(&shop).await);
    }
    for other in &mut others {
        send(other, "POST /products", CUP).await;
    }
    for other in &mut others {
        assert!(answer(other).await.starts_with("HTTP/1.1 201"));
    }
    assert_eq!(shop.products().len(), 5);
}

#[tokio::test]
async fn a_shop_that_was_dropped_or_stopped_takes_no_more_clients() {
    for stopped in [true, false] {
        let (shop, mut idle) = shop(Faults::NONE).await;
        let address = shop.url().trim_start_matches("http://").to_owned();
        if stopped {
            shop.stop().await;
        } else {
            drop(shop);
        }
        assert_eq!(answer(&mut idle).await, "", "idle connections are closed");
        assert!(TcpStream::connect(address).await.is_err());
    }
}

#[tokio::test]
async fn what_is_not_json_or_not_an_address_is_refused() {
    let (shop, mut stream) = shop(Faults::NONE).await;
    send(&mut stream, "POST /products", "{").await;
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 400"));
    send(&mut stream, "GET /products", "").await;
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 400"));
    send(&mut stream, "GET /elsewhere", "").await;
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 404"));
    assert_eq!(shop.log().requests(), 0);
}
