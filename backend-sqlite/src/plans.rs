//! With 100,000 records, SQLite looks things up and walks no table.

#![allow(clippy::unwrap_used)] // all of it is tests

use sqlx::{AssertSqlSafe, Row, SqliteConnection, query};
use sync_tracker_core::{ClaimId, Filter, Source, Status, SyncStore, Timestamp};

use crate::config::SqliteOptions;
use crate::list::Walk;
use crate::statements;

/// What SQLite says that it does, a line for each step.
async fn plan(on: &mut SqliteConnection, statement: &str) -> Vec<String> {
    let explain = format!("EXPLAIN QUERY PLAN {statement}");
    let rows = query(AssertSqlSafe(explain)).fetch_all(on).await.unwrap();
    rows.iter().map(|row| row.get("detail")).collect()
}

/// Checks that a statement searches by this index, and neither walks records nor sorts.
async fn searches(on: &mut SqliteConnection, statement: &str, by: &str) {
    let plan = plan(on, statement).await;
    let searches = plan.iter().any(|step| step.starts_with("SEARCH") && step.contains(by));
    assert!(searches, "{plan:#?} of {statement}");
    let walks = |step: &&String| {
        step.starts_with("SCAN r") || step.starts_with("SCAN x") || step.contains("ORDER BY")
    };
    assert_eq!(plan.iter().find(walks), None, "{plan:#?} of {statement}");
}

/// Records of every status, most of them synced, in two sources and two types.
const FILL: &str = "
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100000)
    INSERT INTO sync_records (
        source, entity_type, entity_id, external_id, incarnation, revision, synced_revision,
        created_at, attempts, in_doubt, token, version, recent_changes, last_arm, claim_id,
        status, pending_since, due_at
    )
    SELECT iif(n % 4 = 0, 'erp', 'shop'), iif(n % 3 = 0, 'customer', 'product'),
        printf('%08d', n), 'gid-' || n, 1, 1, n % 10 > 0, 1700000000000, 0, 0, 1, 1,
        x'0000000000000001', 0, iif(n % 10 = 5, 'w#0000000000000001', NULL),
        CASE n % 10 WHEN 0 THEN 'pending' WHEN 5 THEN 'in_progress' WHEN 7 THEN 'failed'
            WHEN 9 THEN 'deleted' ELSE 'synced' END,
        iif(n % 10 = 0, 1700000000000 + n, NULL),
        iif(n % 10 IN (0, 5, 7), 1700000000000 + n, NULL)
    FROM numbers";

#[tokio::test]
async fn what_is_asked_all_the_time_is_looked_up_however_many_records_there_are() {
    let store = SqliteOptions::memory().open().await.unwrap();
    let mut connection = store.reader().await.unwrap();
    let on: &mut SqliteConnection = &mut connection;
    query(FILL).execute(&mut *on).await.unwrap();
    let ids = "INSERT INTO sync_external_ids
        SELECT source, entity_type, external_id, '', entity_id FROM sync_records";
    query(ids).execute(&mut *on).await.unwrap();

    look_up(on).await;
    query("ANALYZE").execute(&mut *on).await.unwrap();
    look_up(on).await;
    drop(connection);

    // The counts that the triggers kept of it are right.
    let statistics = store.statistics(&source()).await.unwrap();
    assert_eq!(statistics.counts.total(), 75_000);
    assert_eq!(statistics.counts.in_status(Status::Pending), 5_000);
    assert_eq!(statistics.due_now, 25_000);
}

fn source() -> Source {
    Source::new("shop").unwrap()
}

/// Checks every statement that is executed all the time.
async fn look_up(on: &mut SqliteConnection) {
    let by_key = "sync_records_by_key (source=? AND entity_type=? AND entity_id=?)";
    searches(on, statements::GET, by_key).await;
    searches(on, statements::GET_MANY, by_key).await;
    searches(on, statements::DELETE_RECORD, by_key).await;
    let by_id = "PRIMARY KEY (source=? AND entity_type=? AND external_id=?";
    searches(on, statements::CARRIERS, by_id).await;
    searches(on, statements::CARRIERS, by_key).await;
    searches(on, statements::HOLDERS, by_id).await;
    searches(on, statements::RELEASE_EXTERNAL_IDS, by_id).await;
    let by_due = "sync_records_by_due (source=? AND status=? AND due_at";
    searches(on, statements::DUE, by_due).await;
    searches(on, statements::STATISTICS, by_due).await;
    searches(on, statements::STATISTICS, "sync_counts USING PRIMARY KEY (source=?)").await;
    searches(on, statements::GRANTED, "sync_records_by_claim (source=? AND claim_id=?").await;
    let of_entity = plan(on, statements::RECORDS_OF).await;
    assert!(of_entity.iter().any(|step| step.contains(by_key)), "{of_entity:#?}");
    assert!(!of_entity.iter().any(|step| step.starts_with("SCAN r")), "{of_entity:#?}");
    let by_end = "sync_inbox_by_end (source=? AND <expr><?)";
    searches(on, statements::FORGET_MESSAGES, by_end).await;

    let source = source();
    let product = Some("product".try_into().unwrap());
    let claim_id = Some(ClaimId::random());
    for (filter, by) in [
        (Filter::default(), "sync_records_by_key (source=? AND (entity_type,entity_id)>(?,?))"),
        (
            Filter { entity_type: product.clone(), ..Filter::default() },
            "sync_records_by_key (source=? AND entity_type=? AND entity_id>?)",
        ),
        (
            Filter { status: Some(Status::Failed), ..Filter::default() },
            "sync_records_by_status (source=? AND status=? AND (entity_type,entity_id)>(?,?))",
        ),
        (
            Filter { due: Some(true), ..Filter::default() },
            "sync_records_by_status (source=? AND status=? AND (entity_type,entity_id)>(?,?))",
        ),
        (
            Filter { due: Some(true), entity_type: product, ..Filter::default() },
            "sync_records_by_status (source=? AND status=? AND entity_type=? AND entity_id>?)",
        ),
        (
            Filter { claim_id, ..Filter::default() },
            "sync_records_by_claim (source=? AND claim_id=? AND (entity_type,entity_id)>(?,?))",
        ),
    ] {
        let walk = Walk { filter: &filter, source: &source, now: Timestamp::now() };
        searches(on, &walk.text(), by).await;
    }
}
