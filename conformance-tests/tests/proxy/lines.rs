//! What befalls all connections: a server that is gone, a network that is split, an end.

use std::io::ErrorKind;

use sync_tracker_conformance::FaultProxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::proxied;
use crate::server::{Client, Ended, Seen, Server};

#[tokio::test]
async fn new_connections_are_refused_and_open_ones_stay() {
    let (_server, proxy) = proxied().await;
    let mut client = Client::connect(proxy.address()).await;
    assert_eq!(client.asks().await, Seen::Reply(1));
    for round in 1..=3 {
        proxy.refuse();
        let refused = TcpStream::connect(proxy.address()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(client.asks().await, Seen::Reply(2 * round));
        proxy.come_back().unwrap();
        let mut new = Client::connect(proxy.address()).await;
        assert_eq!(new.asks().await, Seen::Reply(2 * round + 1));
    }
    proxy.come_back().unwrap();
    assert_eq!(client.asks().await, Seen::Reply(8), "who is there need not come back");
}

#[tokio::test]
async fn a_server_that_is_gone_closes_and_refuses() {
    let (mut server, proxy) = proxied().await;
    let mut client = Client::connect(proxy.address()).await;
    assert_eq!(client.asks().await, Seen::Reply(1));
    proxy.go_away();
    assert_eq!(client.sees().await, Seen::Ended(Ended::Closed));
    assert_eq!(server.ended().await, Ended::Closed);
    let refused = TcpStream::connect(proxy.address()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    proxy.clear();
    assert!(TcpStream::connect(proxy.address()).await.is_err(), "it is still gone");
    proxy.come_back().unwrap();
    assert_eq!(Client::connect(proxy.address()).await.asks().await, Seen::Reply(2));
}

#[tokio::test]
async fn connections_that_were_cut_are_replaced_by_new_ones() {
    let (_server, proxy) = proxied().await;
    let mut client = Client::connect(proxy.address()).await;
    assert_eq!(client.asks().await, Seen::Reply(1));
    proxy.cut_connections();
    assert_eq!(client.sees().await, Seen::Ended(Ended::Closed));
    assert_eq!(Client::connect(proxy.address()).await.asks().await, Seen::Reply(2));
}

#[tokio::test]
async fn new_connections_are_led_to_another_server_and_open_ones_stay_with_theirs() {
    let (first, proxy) = proxied().await;
    let second = Server::start().await;
    let mut old = Client::connect(proxy.address()).await;
    assert_eq!(old.asks().await, Seen::Reply(1));
    proxy.lead_to(second.address);
    let mut new = Client::connect(proxy.address()).await;
    assert_eq!(new.asks().await, Seen::Reply(1));
    assert_eq!(old.asks().await, Seen::Reply(2));
    assert_eq!((first.applied(), second.applied()), (2, 1));
}

#[tokio::test]
async fn nothing_passes_a_partition_and_all_of_it_after() {
    let (mut server, proxy) = proxied().await;
    let mut clients = Vec::new();
    for sum in 1..=2 {
        clients.push(Client::connect(proxy.address()).await);
        assert_eq!(clients.last_mut().unwrap().asks().await, Seen::Reply(sum));
    }
    proxy.partition();
    clients.push(Client::connect(proxy.address()).await);
    for client in &mut clients {
        client.send(1).await;
    }
    for client in &mut clients {
        assert_eq!(client.sees_for_now().await, Seen::Nothing);
    }
    assert_eq!(server.applied(), 2);
    assert!(server.none_ended());
    proxy.heal();
    for client in &mut clients {
        assert!(matches!(client.sees().await, Seen::Reply(3..=5)));
    }
    assert_eq!(server.applied(), 5);
}

#[tokio::test]
async fn a_partition_can_be_cut() {
    let (_server, proxy) = proxied().await;
    proxy.partition();
    let mut client = Client::connect(proxy.address()).await;
    while proxy.counts().connections == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(client.sees_for_now().await, Seen::Nothing);
    proxy.cut_connections();
    assert_eq!(client.sees().await, Seen::Ended(Ended::Closed));
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_resets_the_client() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = FaultProxy::start(gone.local_addr().unwrap()).await.unwrap();
    drop(gone);
    let mut client = Client::connect(proxy.address()).await;
    assert_eq!(client.sees().await, Seen::Ended(Ended::Reset));
}

#[tokio::test]
async fn an_end_that_resets_resets_the_other() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = FaultProxy::start(listener.local_addr().unwrap()).await.unwrap();
    let mut client = Client::connect(proxy.address()).await;
    let (served, _) = listener.accept().await.unwrap();
    served.set_zero_linger().unwrap();
    drop(served);
    assert_eq!(client.sees().await, Seen::Ended(Ended::Reset));
}

#[tokio::test]
async fn a_dropped_proxy_closes_what_it_carried() {
    let (mut server, proxy) = proxied().await;
    let address = proxy.address();
    let mut client = Client::connect(address).await;
    assert_eq!(client.asks().await, Seen::Reply(1));
    drop(proxy);
    assert!(TcpStream::connect(address).await.is_err());
    assert!(matches!(client.sees().await, Seen::Ended(_)));
    let _ = server.ended().await;
}

#[tokio::test]
async fn much_passes_both_ways_at_once_and_one_side_may_close_first() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = FaultProxy::start(listener.local_addr().unwrap()).await.unwrap();
    let much: Vec<u8> = (0..=250).cycle().take(8 << 20).collect();
    let client = TcpStream::connect(proxy.address()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    let talk = |stream: TcpStream| {
        let (mut from, mut to) = stream.into_split();
        let sent = much.clone();
        let writing = tokio::spawn(async move {
            to.write_all(&sent).await.unwrap();
            to.shutdown().await.unwrap();
        });
        async move {
            let mut read = Vec::new();
            from.read_to_end(&mut read).await.unwrap();
            writing.await.unwrap();
            read
        }
    };
    let (at_client, at_server) = tokio::join!(talk(client), talk(server));
    assert!(at_client == much && at_server == much);
    let counts = proxy.counts();
    assert_eq!((counts.client_bytes, counts.server_bytes), (8 << 20, 8 << 20));
}
