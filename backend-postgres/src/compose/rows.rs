//! Which records a statement is about, and how they are locked.

use std::fmt::Write;

use super::{Param, Target, clock, each_of, remembers};

/// What comes before `d`, and the query of the locked rows, which `ord` tells apart.
pub(super) fn locked(target: Target, params: &[Param]) -> (String, String) {
    match target {
        Target::One | Target::Removal => {
            let rows = "SELECT r.*, 1::bigint AS ord FROM {records} r WHERE r.source = $1 \
                        AND r.entity_type = $2 AND r.entity_id = $3 FOR UPDATE";
            (String::new(), rows.to_owned())
        }
        Target::Many => many(params),
        Target::Claim(most) => claim(most),
    }
}

/// Locks in the order of keys, so that two batches never wait for each other.
fn many(params: &[Param]) -> (String, String) {
    let (mut arrays, mut names, mut own) = (String::new(), String::new(), String::new());
    for (index, param) in params.iter().enumerate() {
        let number = index + 1;
        let _ = write!(arrays, ", ${}::{}[]", Target::FIXED + number, param.kind.as_sql());
        let _ = write!(names, ", p{number}");
        let _ = write!(own, ", i.p{number}");
    }
    let items = format!(
        "i AS MATERIALIZED (SELECT * FROM unnest($2::text[], $3::text[], $4::text[], \
         $5::bigint[]{arrays}) WITH ORDINALITY \
         AS i (source, entity_type, entity_id, change_id{names}, ord)),\n"
    );
    let rows = format!(
        "SELECT r.*, i.ord, i.change_id{own} FROM i JOIN {{records}} r ON {} \
         ORDER BY r.source, r.entity_type, r.entity_id FOR UPDATE OF r",
        each_of("i")
    );
    (items, rows)
}

/// Translates `ClaimRequest::select`: `m` are the live leases of the same claim, `f` is what is due
/// longest if there are none, `b` is what is due and was not left by a worker that vanished. `f` is
/// taken alone if it was. The sum in `m` leaves it the index by claim.
fn claim(most: u16) -> (String, String) {
    let clock = clock("$3");
    let due = format!(
        "SELECT r.* FROM {{records}} r WHERE r.source = $1 \
         AND r.due_at <= (SELECT now FROM c) AND NOT (SELECT paused FROM p) \
         AND NOT starts_with(r.entity_type, 'sync-tracker/') AND NOT {}",
        remembers("r", "$2::bigint")
    );
    let oldest = "ORDER BY r.due_at, r.entity_type, r.entity_id LIMIT";
    let before = format!(
        "c AS MATERIALIZED (SELECT {clock} AS now),\n\
         p AS MATERIALIZED (SELECT EXISTS (SELECT FROM {{pauses}} WHERE source = $1 \
         AND (until IS NULL OR until > (SELECT now FROM c))) AS paused),\n\
         m AS MATERIALIZED (SELECT r.* FROM {{records}} r WHERE r.source = $1 \
         AND r.lease_claim = $5::text AND r.status = 3 AND r.due_at + 0 > (SELECT now FROM c) \
         AND NOT starts_with(r.entity_type, 'sync-tracker/') {oldest} $4::bigint),\n\
         f AS MATERIALIZED ({due} AND NOT EXISTS (SELECT FROM m) {oldest} 1 \
         FOR UPDATE SKIP LOCKED),\n\
         b AS MATERIALIZED ({due} AND r.status <> 3 \
         AND NOT EXISTS (SELECT FROM f WHERE f.status = 3) \
         {oldest} greatest($4::bigint - (SELECT count(*) FROM m), 0) FOR UPDATE SKIP LOCKED),\n"
    );
    let rows = format!(
        "(SELECT f.*, 0::bigint AS ord FROM f WHERE f.status = 3 \
         UNION ALL SELECT b.*, row_number() OVER \
         (ORDER BY b.due_at, b.entity_type, b.entity_id) FROM b) LIMIT {most}"
    );
    (before, rows)
}
