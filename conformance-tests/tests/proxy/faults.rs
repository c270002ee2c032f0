//! Faults that are armed for a flush.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use sync_tracker_conformance::{Direction, FaultProxy, Trigger, WireFault};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::proxied;
use crate::server::{Client, Ended, Seen};

const ONCE: Trigger = Trigger::Next(1);

#[tokio::test]
async fn without_a_fault_all_passes() {
    let (mut server, proxy) = proxied().await;
    let mut client = Client::connect(proxy.address()).await;
    for sum in 1..=3 {
        assert_eq!(client.asks().await, Seen::Reply(sum));
    }
    drop(client);
    assert_eq!(server.ended().await, Ended::Closed);
    assert_eq!((server.applied(), proxy.fired()), (3, 0));
}

#[tokio::test]
async fn a_cut_request_does_not_reach_the_server() {
    let (mut server, proxy) = proxied().await;
    let mut client = Client::connect(proxy.address()).await;
    assert_eq!(client.asks().await, Seen::Reply(1));
    let cut = proxy.arm(WireFault::Cut, Direction::ToServer, ONCE);
    assert_eq!(client.asks().await, Seen::Ended(Ended::Closed));
    assert_eq!(server.ended().await, Ended::Closed);
    assert_eq!((server.applied(), cut.fired()), (1, 1));
    assert_eq!(Client::connect(proxy.address()).await.asks().await, Seen::Reply(2));
}

#[tokio::test]
async fn a_cut_reply_is_of_a_request_that_was_carried_out() {
    let (mut server, proxy) = proxied().await;
    let mut client = Client::connect(proxy.address()).await;
    let cut = proxy.arm(WireFault::Cut, Direction::ToClient, ONCE);
    assert_eq!(client.asks().await, Seen::Ended(Ended::Closed));
    assert_eq!(server.applied(), 1);
    assert_eq!(server.ended().await, Ended::Closed);
    assert_eq!((server.applied(), cut.fired()), (1, 1));
}

#[tokio::test]
async fn all_of_a_pipeline_is_carried_out_whose_reply_is_cut() {
    let (mut server, proxy) = proxied().await;
    let mut client = Client::connect(proxy.address()).await;
    let _ = proxy.arm(WireFault::Cut, Direction::ToClient, ONCE);
    client.send(1_000).await;
    assert_eq!(client.sees().await, Seen::Ended(Ended::Closed));
    assert_eq!(server.ended().await, Ended::Closed);
    assert_eq!(server.applied(), 1_000);
}

#[tokio::test]
async fn a_reset_request_does_not_reach_the_server() {
    let (mut server, proxy) = proxied().await;
    let mut client = Client::connect(proxy.address()).await;
    assert_eq!(client.asks().await, Seen::Reply(1));
    let _ = proxy.arm(WireFault::Reset, Direction::ToServer, ONCE);
    assert_eq!(client.asks().await, Seen::Ended(Ended::Reset));
    assert_eq!(server.ended().await, Ended::Reset);
    assert_eq!(server.applied(), 1);
}

#[tokio::test]
async fn a_reset_reply_is_of_a_request_that_was_carried_out() {
    let (mut server, proxy) = proxied().await;
    let mut client = Client::connect(proxy.address()).await;
    let _ = proxy.arm(WireFault::Reset, Direction::ToClient, ONCE);
    assert_eq!(client.asks().await, Seen::Ended(Ended::Reset));
    assert_eq!(server.ended().await, Ended::Closed);
    assert_eq!(server.applied(), 1);
}

#[tokio::test]
async fn a_silent_request_waits_until_the_wire_is_healed() {
    let (mut server, proxy) = proxied().await;
    let mut client = Client::connect(proxy.address()).await;
    let mut other = Client::connect(proxy.address()).await;
    assert_eq!(client.asks().await, Seen::Reply(1));
    let silence = proxy.arm(WireFault::Silence, Direction::ToServer, ONCE);
    client.send(1).await;
    assert_eq!(client.sees_for_now().await, Seen::Nothing);
    assert_eq!((server.applied(), silence.fired()), (1, 1));
    assert_eq!(other.asks().await, Seen::Reply(2), "other connections are as they were");
    client.send(1).await;
    assert_eq!(client.sees_for_now().await, Seen::Nothing);
    assert!(server.none_ended());
    proxy.heal();
    assert_eq!(client.sees().await, Seen::Reply(3));
    assert_eq!(client.sees().await, Seen::Reply(4));
    assert_eq!(client.asks().await, Seen::Reply(5));
}

#[tokio::test]
async fn a_silent_reply_is_of_a_request_that_was_carried_out() {
    let (server, proxy) = proxied().await;
    let mut client = Client::connect(proxy.address()).await;
    let _ = proxy.arm(WireFault::Silence, Direction::ToClient, ONCE);
    client.send(1).await;
    assert_eq!(client.sees_for_now().await, Seen::Nothing);
    assert_eq!(server.applied(), 1);
    proxy.clear();
    assert_eq!(client.sees().await, Seen::Reply(1));
}

#[tokio::test]
async fn the_server_of_a_silent_connection_does_not_see_the_client_go() {
    let (mut server, proxy) = proxied().await;
    let mut client = Client::connect(proxy.address()).await;
    let _ = proxy.arm(WireFault::Silence, Direction::ToClient, ONCE);
    client.send(1).await;
    assert_eq!(client.sees_for_now().await, Seen::Nothing);
    drop(client);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(server.none_ended());
    proxy.cut_connections();
    assert_eq!(server.ended().await, Ended::Closed);
}

#[tokio::test]
async fn a_delay_is_waited_for_in_either_direction() {
    let (server, proxy) = proxied().await;
    let mut client = Client::connect(proxy.address()).await;
    let delay = Duration::from_millis(60);
    for (sum, direction) in (1..).zip([Direction::ToServer, Direction::ToClient]) {
        let late = proxy.arm(WireFault::Delay(delay), direction, ONCE);
        let asked = Instant::now();
        assert_eq!(client.asks().await, Seen::Reply(sum));
        assert!(asked.elapsed() >= delay, "{direction:?}");
        assert_eq!(late.fired(), 1);
    }
    assert_eq!(server.applied(), 2);
}

#[tokio::test]
async fn a_delayed_request_is_overtaken_by_another_connection_and_by_none_of_its_own() {
    let (_server, proxy) = proxied().await;
    let mut late = Client::connect(proxy.address()).await;
    let mut other = Client::connect(proxy.address()).await;
    // So late that it would not come, and healed by nothing: only what is on time is seen.
    let hour = Duration::from_secs(3_600);
    let delay = proxy.arm(WireFault::Delay(hour), Direction::ToServer, ONCE);
    late.send(1).await;
    while delay.fired() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(other.asks().await, Seen::Reply(1));
    late.send(1).await;
    assert_eq!(late.sees_for_now().await, Seen::Nothing);
}

#[tokio::test]
async fn pieces_add_up_in_either_direction() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = FaultProxy::start(listener.local_addr().unwrap()).await.unwrap();
    let text: Vec<u8> = (0..=255).cycle().take(2_000).collect();
    for bytes in [1, 7, 1_999, 2_000, 5_000] {
        let piece = NonZeroUsize::new(bytes).unwrap();
        for direction in [Direction::ToServer, Direction::ToClient] {
            let slice = proxy.arm(WireFault::Slice(piece), direction, ONCE);
            let mut client = TcpStream::connect(proxy.address()).await.unwrap();
            let (mut server, _) = listener.accept().await.unwrap();
            let (from, to) = match direction {
                Direction::ToServer => (&mut client, &mut server),
                Direction::ToClient => (&mut server, &mut client),
            };
            from.write_all(&text).await.unwrap();
            let (mut read, mut reads) = (Vec::new(), 0);
            while read.len() < text.len() {
                assert!(to.read_buf(&mut read).await.unwrap() > 0);
                reads += 1;
            }
            assert!(read == text, "pieces of {bytes} {direction:?}");
            assert_eq!(slice.fired(), 1);
            assert!(reads > 1 || bytes > 7, "{reads} reads of pieces of {bytes}");
        }
    }
}

#[tokio::test]
async fn faults_of_one_flush_come_together_and_a_cut_is_the_last() {
    let (server, proxy) = proxied().await;
    let mut client = Client::connect(proxy.address()).await;
    let delay = Duration::from_millis(20);
    let piece = NonZeroUsize::MIN;
    let first = proxy.arm(WireFault::Delay(delay), Direction::ToServer, ONCE);
    let second = proxy.arm(WireFault::Delay(delay), Direction::ToServer, Trigger::Always);
    let sliced = proxy.arm(WireFault::Slice(piece), Direction::ToServer, Trigger::Always);
    let cut = proxy.arm(WireFault::Cut, Direction::ToServer, Trigger::Nth(2));
    let after = proxy.arm(WireFault::Delay(delay), Direction::ToServer, Trigger::Always);
    let asked = Instant::now();
    assert_eq!(client.asks().await, Seen::Reply(1));
    assert!(asked.elapsed() >= delay * 3);
    assert_eq!(client.asks().await, Seen::Ended(Ended::Closed));
    let fired = [&first, &second, &sliced, &cut, &after].map(|armed| armed.fired());
    assert_eq!(fired, [1, 2, 2, 1, 1]);
    assert_eq!((proxy.fired(), server.applied()), (7, 1));
}
