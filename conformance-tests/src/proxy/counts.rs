//! What passed on the wire, in numbers.

use super::fault::Direction;

/// What a proxy saw on all of its connections.
///
/// A *flush* is a run of bytes in one direction that no bytes in the other direction interrupt, in
/// the order in which they come to the proxy. It is no packet and no `write` of anybody: a request
/// in several packets is one flush, and so are requests that are sent before the first reply comes
/// (pipelining). A *round trip* is a flush of the client that the server answers, by whatever.
///
/// So for a client that waits for each reply the numbers are exact. One that pipelines makes one
/// round trip of all requests that it sends before the first reply comes back, which is what it
/// waits for; where it goes on sending while replies come, the number depends on how they meet,
/// and lies between 1 and the number of requests.
///
/// What opens and closes a connection counts too: TLS, authentication, a greeting (a flush of the
/// server which is no round trip), a goodbye (a flush of the client which is none).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WireCounts {
    /// Connections that were accepted.
    pub connections: u64,
    /// Flushes that came from clients, passed on or not.
    pub client_flushes: u64,
    /// Flushes that came from the server, passed on or not.
    pub server_flushes: u64,
    /// Flushes of clients that the server began to answer. They count when it does.
    pub round_trips: u64,
    /// Bytes that came from clients.
    pub client_bytes: u64,
    /// Bytes that came from the server, but for those after a reply was thrown away.
    pub server_bytes: u64,
}

impl WireCounts {
    /// Counts bytes that came, after bytes in the direction `before` or none, and says whether a
    /// flush begins with them.
    pub(super) fn came(
        &mut self,
        before: Option<Direction>,
        direction: Direction,
        bytes: usize,
    ) -> bool {
        let begins = before != Some(direction);
        let bytes = bytes as u64;
        match direction {
            Direction::ToServer => {
                self.client_flushes += u64::from(begins);
                self.client_bytes += bytes;
            }
            Direction::ToClient => {
                self.server_flushes += u64::from(begins);
                self.round_trips += u64::from(before == Some(Direction::ToServer));
                self.server_bytes += bytes;
            }
        }
        begins
    }
}
