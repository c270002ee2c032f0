//! One call is one request on the wire, whatever happens to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::catalog;
use crate::catalog::Product;
use crate::shop::{Faults, Shop};

fn product() -> Product {
    catalog::parse(&b"Handle,Title\ncup,Cup\n"[..]).unwrap().remove(0)
}

#[tokio::test]
async fn a_lost_reply_is_one_accepted_create_on_new_and_on_reused_connections() {
    let faults = Faults { lost_reply: 0.5.try_into().unwrap(), ..Faults::NONE };
    let shop = Shop::start(faults).await.unwrap();
    let open = || ShopClient::new(shop.url(), Duration::from_secs(10)).unwrap();
    let kept = open();
    for call in 1..=40 {
        // A new client has to connect; the kept one has just been answered, and reuses that
        // connection.
        let client = if call <= 20 { open() } else { kept.clone() };
        if call > 20 {
            assert!(client.find("cup").await.unwrap().is_some());
        }
        let answer = client.create(&product()).await;
        match answer {
            Err(ShopError::NoAnswer { .. }) => assert_eq!(call % 2, 1, "call {call}"),
            Ok(_) => assert_eq!(call % 2, 0, "call {call}"),
            other => panic!("call {call}: {other:?}"),
        }
        assert_eq!(shop.log().creates(), call);
    }
    assert_eq!(shop.log().faults().lost_replies, 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_replies_to_many_creates_at_once_are_not_sent_again() {
    let faults = Faults { lost_reply: 0.9.try_into().unwrap(), ..Faults::NONE };
    let shop = Shop::start(faults).await.unwrap();
    let client = ShopClient::new(shop.url(), Duration::from_secs(10)).unwrap();
    let calls: Vec<_> = (0..200)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.create(&product()).await })
        })
        .collect();
    let mut unanswered = 0;
    for call in calls {
        match call.await.unwrap() {
            Ok(_) => {}
            Err(ShopError::NoAnswer { .. }) => unanswered += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    let log = shop.log();
    assert_eq!((log.creates(), unanswered), (200, 180));
    assert_eq!(log.entries().iter().filter(|it| !it.delivered).count(), 180);
}

/// Answers the first request of a connection, then closes it without a word, at the latest when
/// the next request arrives. Counts the requests.
async fn answer_once(mut stream: TcpStream, requests: Arc<AtomicUsize>) {
    let body = r#"{"id":"gid-1","version":1}"#;
    let answer = format!("HTTP/1.1 201 Created\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let mut request = Vec::new();
    while !request.ends_with(b"}") {
        if stream.read_buf(&mut request).await.unwrap() == 0 {
            return;
        }
    }
    requests.fetch_add(1, Ordering::SeqCst);
    stream.write_all(answer.as_bytes()).await.unwrap();
    let mut next = [0];
    let peeked = tokio::time::timeout(Duration::from_millis(2), stream.peek(&mut next)).await;
    if let Ok(Ok(1)) = peeked {
        requests.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_closed_under_a_create_never_turns_it_into_two() {
    const CALLS: usize = 300;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer_once(stream, Arc::clone(&counted)));
        }
    });
    let client = ShopClient::new(&address, Duration::from_secs(10)).unwrap();
    let mut answered = 0;
    for _ in 0..CALLS {
        match client.create(&product()).await {
            Ok(_) => answered += 1,
            // Written into a connection that was closing: nobody can know, so nobody repeats it.
            Err(ShopError::NoAnswer { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    let requests = requests.load(Ordering::SeqCst);
    assert!(answered <= requests && requests <= CALLS, "{answered} answers, {requests} requests");
}
