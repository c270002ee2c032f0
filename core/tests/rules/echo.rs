//! Expecting a push to come back.

use sync_tracker_core::Refusal;
use sync_tracker_core::rules::expect_echo;

use super::full_record::{fingerprint, full};
use super::lease::is_for_the_holder;
use super::{does, live, refused};

#[test]
fn an_echo_is_expected_after_those_before_it() {
    for record in [full(), live()] {
        for token in [None, Some(record.token)] {
            does(&expect_echo(token, &fingerprint("c")), &record, 0, |record| {
                record.echoes = ["a", "b", "a", "c"].map(fingerprint).to_vec();
            });
        }
    }
}

#[test]
fn an_echo_is_expected_of_a_record_and_with_a_token_by_its_holder() {
    refused(&expect_echo(None, &fingerprint("c")), None, &Refusal::Absent);
    is_for_the_holder(|token| expect_echo(Some(token), &fingerprint("c")));
}
