//! At which flushes a fault happens.

use std::time::Duration;

use sync_tracker_conformance::{Direction, FaultProxy, Trigger, WireFault};

use crate::proxied;
use crate::server::{Client, Ended, Seen};

const NOTHING: WireFault = WireFault::Delay(Duration::ZERO);

/// Which of so many requests met a fault.
async fn met(proxy: &FaultProxy, trigger: Trigger, requests: usize) -> Vec<bool> {
    let armed = proxy.arm(NOTHING, Direction::ToServer, trigger);
    let mut client = Client::connect(proxy.address()).await;
    let mut met = Vec::new();
    for _ in 0..requests {
        let before = armed.fired();
        assert!(matches!(client.asks().await, Seen::Reply(_)));
        met.push(armed.fired() > before);
    }
    met
}

#[tokio::test]
async fn a_fault_meets_the_next_or_the_nth_or_all_flushes() {
    let (_server, proxy) = proxied().await;
    assert_eq!(met(&proxy, Trigger::Next(2), 4).await, [true, true, false, false]);
    assert_eq!(met(&proxy, Trigger::Nth(3), 5).await, [false, false, true, false, false]);
    assert_eq!(met(&proxy, Trigger::Nth(0), 2).await, [false; 2]);
    assert_eq!(met(&proxy, Trigger::Always, 3).await, [true; 3]);
}

#[tokio::test]
async fn a_rate_meets_the_same_flushes_by_the_same_seed() {
    let (_server, proxy) = proxied().await;
    let rate = |share, seed| Trigger::Rate { share, seed };
    let first = met(&proxy, rate(0.3, 42), 60).await;
    assert_eq!(met(&proxy, rate(0.3, 42), 60).await, first);
    assert_ne!(met(&proxy, rate(0.3, 43), 60).await, first);
    assert!((8..=30).contains(&first.iter().filter(|met| **met).count()), "{first:?}");
    assert_eq!(met(&proxy, rate(0.0, 42), 20).await, [false; 20]);
    assert_eq!(met(&proxy, rate(1.0, 42), 20).await, [true; 20]);
}

#[tokio::test]
async fn flushes_are_counted_over_all_connections_and_from_arming() {
    let (_server, proxy) = proxied().await;
    let mut clients =
        [Client::connect(proxy.address()).await, Client::connect(proxy.address()).await];
    assert_eq!(clients[0].asks().await, Seen::Reply(1));
    let cut = proxy.arm(WireFault::Cut, Direction::ToServer, Trigger::Nth(2));
    assert_eq!(clients[0].asks().await, Seen::Reply(2));
    assert_eq!(cut.fired(), 0);
    assert_eq!(clients[1].asks().await, Seen::Ended(Ended::Closed));
    assert_eq!(clients[0].asks().await, Seen::Reply(3));
    assert_eq!(cut.fired(), 1);
}

#[tokio::test]
async fn a_cleared_fault_does_not_happen_and_tells_what_it_did() {
    let (_server, proxy) = proxied().await;
    let mut client = Client::connect(proxy.address()).await;
    let armed = proxy.arm(NOTHING, Direction::ToClient, Trigger::Always);
    assert_eq!(client.asks().await, Seen::Reply(1));
    assert_eq!((armed.fired(), proxy.fired()), (1, 1));
    proxy.clear();
    assert_eq!(client.asks().await, Seen::Reply(2));
    assert_eq!((armed.fired(), proxy.fired()), (1, 0));
}

#[tokio::test]
async fn a_sweep_meets_every_flush_once_and_ends() {
    const REQUESTS: u64 = 4;
    for direction in [Direction::ToServer, Direction::ToClient] {
        let (mut server, proxy) = proxied().await;
        let mut swept = Vec::new();
        for number in 1.. {
            let before = server.applied();
            let cut = proxy.arm(WireFault::Cut, direction, Trigger::Nth(number));
            let mut client = Client::connect(proxy.address()).await;
            let mut replies = 0;
            while replies < REQUESTS && matches!(client.asks().await, Seen::Reply(_)) {
                replies += 1;
            }
            drop(client);
            assert_eq!(server.ended().await, Ended::Closed);
            proxy.clear();
            swept.push((replies, server.applied() - before));
            if cut.fired() == 0 {
                break;
            }
        }
        let unknown = u64::from(direction == Direction::ToClient);
        let mut expected: Vec<_> =
            (0..REQUESTS).map(|replies| (replies, replies + unknown)).collect();
        expected.push((REQUESTS, REQUESTS));
        assert_eq!(swept, expected, "{direction:?}");
    }
}
