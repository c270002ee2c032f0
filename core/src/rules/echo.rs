//! Echoes: our own push coming back.

use crate::change::{Arm, Change, EchoesOp, Guard, Patch};
use crate::counter::Token;
use crate::remote::Fingerprint;

/// Expects this content to come back as an event, which is no news then. Said before the push, since
/// the event may come before the reply.
///
/// It is consumed once, by content, never by time or actor. The last four are expected; a success
/// that tells the version and the content of its push expects it no more, since its event is told by
/// these. With a token only the holder of the lease may say so; refused if there is no record.
#[must_use]
pub fn expect_echo(token: Option<Token>, content: &Fingerprint) -> Change {
    Change::of([Arm {
        when: Guard { exists: Some(true), token, ..Guard::default() },
        then: Patch { echoes: EchoesOp::Push(content.clone()), ..Patch::default() },
    }])
}
