//! Opening: who makes the tables, what is there already, and what does not show.

#![allow(clippy::unwrap_used)] // helpers of tests too

#[path = "postgres/mod.rs"]
mod postgres;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Row};
use sync_tracker_core::{
    ClaimId, ClaimRequest, ErrorKind, Guard, Key, Millis, Source, SyncStore, rules,
};
use sync_tracker_postgres::PostgresOptions;
use tokio::task::JoinSet;

use self::postgres::{OwnSchema, url};

fn options(schema: &OwnSchema) -> PostgresOptions {
    PostgresOptions::from_url(&url()).unwrap().schema(schema.name()).connections(2)
}

async fn run(statement: String) {
    let options: PgConnectOptions = url().parse().unwrap();
    let mut connection = options.connect().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
async fn sixteen_that_open_at_once_make_the_tables_once() {
    for _ in 0..3 {
        let schema = OwnSchema::new();
        let mut opening = JoinSet::new();
        for _ in 0..16 {
            opening.spawn(options(&schema).open());
        }
        for store in opening.join_all().await {
            assert_eq!(store.unwrap().sources().await.unwrap(), []);
        }
    }
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
async fn opening_that_is_cut_off_anywhere_is_completed_by_the_next() {
    let schema = OwnSchema::new();
    let mut polls = 0;
    while sync_tracker_conformance::dropped_after(polls, options(&schema).open()).await.is_none() {
        polls += 1;
    }
    assert!(polls > 3, "{polls}");
    let store = options(&schema).open().await.unwrap();
    let key = Key::new("shop", "product", 1).unwrap();
    assert!(store.apply(&key, &rules::created()).await.unwrap().is_applied());
    let _ = store.remove(&key, &Guard::default()).await.unwrap();
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
async fn the_plain_sql_makes_the_tables_that_a_store_opens() {
    let schema = OwnSchema::new();
    let options = options(&schema).table("ledger");
    run(options.schema_sql().unwrap()).await;
    let store = options.migrate(false).open().await.unwrap();
    assert_eq!(store.sources().await.unwrap(), []);
    assert_eq!(store.verify().await.unwrap(), []);
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
async fn a_newer_minor_version_is_opened_and_a_newer_major_one_is_not() {
    let schema = OwnSchema::new();
    drop(options(&schema).open().await.unwrap());
    let table = format!("\"{}\".\"records_schema_version\"", schema.name());
    run(format!("UPDATE {table} SET minor = 99")).await;
    assert!(options(&schema).open().await.is_ok());
    run(format!("UPDATE {table} SET major = 2")).await;
    let refused = options(&schema).open().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
async fn the_view_shows_records_for_people() {
    let schema = OwnSchema::new();
    let store = options(&schema).open().await.unwrap();
    let key = Key::new("shop", "product", 1).unwrap();
    let _ = store.apply(&key, &rules::created()).await.unwrap();
    let options: PgConnectOptions = url().parse().unwrap();
    let mut connection = options.connect().await.unwrap();
    let text = format!("SELECT status, entity_id FROM \"{}\".records_view", schema.name());
    let row = sqlx::query(AssertSqlSafe(text)).fetch_one(&mut connection).await.unwrap();
    assert_eq!((row.get(0), row.get(1)), ("pending", "1"));
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_POSTGRES_TLS_URL"]
async fn over_tls_the_server_is_who_its_certificate_says() {
    let tls_url = std::env::var("SYNC_TRACKER_POSTGRES_TLS_URL").unwrap();
    let schema = OwnSchema::new();
    let verified: PgConnectOptions = tls_url.parse().unwrap();
    let open = async |options: PgConnectOptions| {
        let options = options.application_name(schema.name());
        PostgresOptions::from_options(options).schema(schema.name()).open().await
    };
    let store = open(verified.clone()).await.unwrap();
    assert_eq!(store.sources().await.unwrap(), []);
    let mut connection = verified.connect().await.unwrap();
    let text = "SELECT s.ssl FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) \
                WHERE a.application_name = $1";
    let rows = sqlx::query(text).bind(schema.name()).fetch_all(&mut connection).await.unwrap();
    assert!(!rows.is_empty() && rows.iter().all(|row| row.get(0)));

    // Nobody has signed it but an authority of the test's own.
    let mut stranger: PgConnectOptions = url().parse().unwrap();
    stranger = stranger.ssl_mode(PgSslMode::VerifyFull);
    assert_eq!(open(stranger).await.unwrap_err().kind(), ErrorKind::Unavailable);
    let elsewhere = verified.host("127.0.0.2");
    assert_eq!(open(elsewhere).await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
async fn a_claim_takes_nothing_from_another_partition() {
    let schema = OwnSchema::new();
    let store = options(&schema).partitions(4).open().await.unwrap();
    let sources: Vec<String> = (0..16).map(|number| format!("shop-{number}")).collect();
    for source in &sources {
        for id in 0..3 {
            let key = Key::new(source.as_str(), "product", id).unwrap();
            assert!(store.apply(&key, &rules::created()).await.unwrap().is_applied());
        }
    }
    let options: PgConnectOptions = url().parse().unwrap();
    let mut connection = options.connect().await.unwrap();
    let text = format!(
        "SELECT a.source, b.source FROM \"{0}\".records a JOIN \"{0}\".records b \
         ON a.ctid = b.ctid AND a.tableoid <> b.tableoid",
        schema.name()
    );
    let rows = sqlx::query(AssertSqlSafe(text)).fetch_all(&mut connection).await.unwrap();
    assert!(rows.len() > 3, "{} rows are at the same place of two partitions", rows.len());
    for source in &sources {
        let source = Source::new(source.as_str()).unwrap();
        let ttl = Millis::new(60_000).unwrap();
        let request = ClaimRequest::new(source.clone(), ClaimId::random(), 100, ttl, 5).unwrap();
        let claimed = store.claim(&request).await.unwrap().leased;
        assert_eq!(claimed.len(), 3);
        assert!(claimed.iter().all(|record| record.key.source == source));
    }
    assert_eq!(store.verify().await.unwrap(), []);
}

#[test]
fn a_password_shows_nowhere() {
    let options = PostgresOptions::from_url("postgres://app:hunter2@localhost/shop").unwrap();
    assert!(!format!("{options:?}").contains("hunter2"));
    let wrong =
        PostgresOptions::from_url("postgres://app:hunter2@localhost:port/shop").unwrap_err();
    assert!(!format!("{wrong:?} {wrong}").contains("hunter2"));
    assert_eq!(wrong.kind(), ErrorKind::Invalid);
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
async fn what_a_wrong_password_says_does_not_show_it() {
    let options: PgConnectOptions = url().parse().unwrap();
    let wrong = PostgresOptions::from_options(options.password("hunter2")).open().await;
    let wrong = wrong.unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Unsupported);
    assert!(!format!("{wrong:?} {wrong}").contains("hunter2"));
}
