//! What the proxy counts.

use sync_tracker_conformance::{Direction, FaultProxy, Trigger, WireCounts, WireFault};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::proxied;
use crate::server::{Client, Ended, Seen};

/// Connections, flushes of client and server, round trips, bytes of client and server.
fn numbers(proxy: &FaultProxy) -> [u64; 6] {
    let WireCounts {
        connections,
        client_flushes,
        server_flushes,
        round_trips,
        client_bytes,
        server_bytes,
        ..
    } = proxy.counts();
    [connections, client_flushes, server_flushes, round_trips, client_bytes, server_bytes]
}

#[tokio::test]
async fn each_request_that_waits_for_its_reply_is_a_round_trip() {
    let (_server, proxy) = proxied().await;
    assert_eq!(numbers(&proxy), [0; 6]);
    let mut clients =
        [Client::connect(proxy.address()).await, Client::connect(proxy.address()).await];
    for sum in 1..=6 {
        assert_eq!(clients[usize::from(sum % 2 == 0)].asks().await, Seen::Reply(sum));
    }
    assert_eq!(numbers(&proxy), [2, 6, 6, 6, 24, 12]);
    proxy.reset_counts();
    assert_eq!(numbers(&proxy), [0; 6]);
    assert_eq!(clients[0].asks().await, Seen::Reply(7));
    assert_eq!(numbers(&proxy), [0, 1, 1, 1, 4, 2]);
}

#[tokio::test]
async fn a_pipeline_is_one_round_trip() {
    let (_server, proxy) = proxied().await;
    let mut client = Client::connect(proxy.address()).await;
    client.send(50).await;
    for sum in 1..=50 {
        assert_eq!(client.sees().await, Seen::Reply(sum));
    }
    let [_, client_flushes, server_flushes, round_trips, client_bytes, _] = numbers(&proxy);
    assert_eq!([client_flushes, server_flushes, round_trips, client_bytes], [1, 1, 1, 200]);
}

#[tokio::test]
async fn a_request_in_several_packets_is_one_flush() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = FaultProxy::start(listener.local_addr().unwrap()).await.unwrap();
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    let mut passed = [0; 4];
    for _ in 0..5 {
        client.write_all(b"part").await.unwrap();
        server.read_exact(&mut passed).await.unwrap();
    }
    assert_eq!(numbers(&proxy), [1, 1, 0, 0, 20, 0], "it counts when it is answered");
    for _ in 0..3 {
        server.write_all(b"done").await.unwrap();
        client.read_exact(&mut passed).await.unwrap();
    }
    assert_eq!(numbers(&proxy), [1, 1, 1, 1, 20, 12]);
}

#[tokio::test]
async fn a_greeting_and_a_goodbye_are_no_round_trips() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = FaultProxy::start(listener.local_addr().unwrap()).await.unwrap();
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    server.write_all(b"hi").await.unwrap();
    client.read_exact(&mut [0; 2]).await.unwrap();
    assert_eq!(numbers(&proxy), [1, 0, 1, 0, 0, 2]);
    client.write_all(b"bye").await.unwrap();
    server.read_exact(&mut [0; 3]).await.unwrap();
    assert_eq!(numbers(&proxy), [1, 1, 1, 0, 3, 2]);
}

#[tokio::test]
async fn lost_requests_are_no_round_trips_and_lost_replies_are() {
    let (_server, proxy) = proxied().await;
    for (direction, expected) in
        [(Direction::ToServer, [1, 1, 0, 0, 4, 0]), (Direction::ToClient, [1, 1, 1, 1, 4, 2])]
    {
        proxy.reset_counts();
        let _ = proxy.arm(WireFault::Cut, direction, Trigger::Next(1));
        let mut client = Client::connect(proxy.address()).await;
        assert_eq!(client.asks().await, Seen::Ended(Ended::Closed));
        assert_eq!(numbers(&proxy), expected);
    }
}
