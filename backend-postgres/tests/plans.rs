//! Among a hundred thousand records every call goes by an index, with the planner as it is.

#![allow(clippy::unwrap_used)] // helpers of tests too

#[path = "postgres/mod.rs"]
mod postgres;

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Row};
use sync_tracker_core::{
    ClaimId, ClaimRequest, EntityType, ExternalId, Filter, Guard, Key, Millis, PageSize, Source,
    Status, SyncStore, rules,
};
use sync_tracker_postgres::{PostgresOptions, PostgresStore};

use self::postgres::{OwnSchema, url};

const RECORDS: u64 = 100_000;
/// So much fewer has the second source.
const FEWER: u64 = 100;

/// Every hundredth is pending, every hundredth is leased for long; the others are synced. Of a second
/// source there are few.
fn fill(schema: &str, records: u64) -> String {
    let few = records / FEWER;
    format!(
        "INSERT INTO \"{schema}\".records (source, entity_type, entity_id, incarnation, revision,
            synced_revision, version, token, attempts, created_at, pending_since, lease_until,
            lease_claim, last_arm, in_doubt, external_id, metadata, recent_changes)
        SELECT source, type, n::text, 1, 1, (n % 100 <> 0)::int, 1, 1, 0, 1,
            CASE WHEN n % 100 = 0 THEN 1 END, CASE WHEN n % 100 = 1 THEN 200000000000000 END,
            CASE WHEN n % 100 = 1 THEN '#' || lpad(to_hex(n / 1000), 16, '0') END, 0, false, 'x' || n,
            jsonb_build_object('n', n), ''
        FROM (VALUES ('shop', 'product', {records}), ('depot', 'order', {few})) of (source, type, most),
            generate_series(1, most) n;
        INSERT INTO \"{schema}\".records_ids (source, entity_type, external_id, entity_id)
        SELECT source, entity_type, external_id, entity_id FROM \"{schema}\".records;"
    )
}

/// How often tables were read from end to end, and how many rows of records were fetched.
async fn read_so_far(connection: &mut PgConnection, schema: &str) -> (i64, i64) {
    let text = "SELECT coalesce(sum(seq_scan), 0)::bigint, \
                coalesce(sum(idx_tup_fetch), 0)::bigint FROM pg_stat_user_tables \
                WHERE schemaname = $1 AND relname IN ('records', 'records_ids')";
    sqlx::query("SELECT pg_stat_clear_snapshot()").execute(&mut *connection).await.unwrap();
    let row = sqlx::query(text).bind(schema).fetch_one(connection).await.unwrap();
    (row.get(0), row.get(1))
}

/// Waits until every connection of the store has gone, which tells what it has read.
async fn closed(connection: &mut PgConnection, application: &str) {
    let text = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
    loop {
        let row = sqlx::query(text).bind(application).fetch_one(&mut *connection).await.unwrap();
        if row.get::<i64, _>(0) == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What the server knows of its tables.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    All,
    /// Nothing but their size: they are new, or nobody has come by to count.
    Nothing,
}

/// Makes so many records, and says how to open a store of them whose connections can be told.
async fn filled(
    schema: &OwnSchema,
    records: u64,
    known: Known,
) -> (PgConnection, impl Fn(&str) -> PostgresOptions) {
    let options: PgConnectOptions = url().parse().unwrap();
    let (own, name) = (options.clone(), schema.name().to_owned());
    let own = move |mode: &str| {
        let own = own.clone().application_name(&name).options([("plan_cache_mode", mode)]);
        PostgresOptions::from_options(own).schema(&name).connections(1)
    };
    drop(own("auto").open().await.unwrap());
    let mut connection = options.connect().await.unwrap();
    const TABLES: [&str; 2] = ["records", "records_ids"];
    for table in TABLES {
        let alone = "SET (autovacuum_enabled = false)";
        let alone = format!("ALTER TABLE \"{}\".{table} {alone}", schema.name());
        sqlx::raw_sql(AssertSqlSafe(alone)).execute(&mut connection).await.unwrap();
    }
    let fill = AssertSqlSafe(fill(schema.name(), records));
    sqlx::raw_sql(fill).execute(&mut connection).await.unwrap();
    if known == Known::All {
        for table in TABLES {
            let vacuum = format!("VACUUM ANALYZE \"{}\".{table}", schema.name());
            sqlx::raw_sql(AssertSqlSafe(vacuum)).execute(&mut connection).await.unwrap();
        }
    }
    closed(&mut connection, schema.name()).await;
    sqlx::query("SELECT pg_stat_force_next_flush()").execute(&mut connection).await.unwrap();
    (connection, own)
}

/// More often than the server plans anew: so the plan for any value is among them.
const TIMES: u64 = 8;

/// What is asked all the time, and how many rows each may fetch. To see what is leased and due the
/// server may look at all that is leased; to count it may look at each record, if somebody may still
/// see it as it was.
const CALLS: [(&str, i64); 15] = [
    ("update", 2),
    ("create and remove", 3),
    ("update many", 3 * MANY),
    ("get", 1),
    ("get many", MANY),
    ("by external id", 2),
    ("by external ids", 2 * MANY),
    ("claim", 3 * MANY),
    ("put", 3),
    ("records of", 3),
    ("sources", 6),
    ("page", MANY + 1),
    ("page of what is due", 2_000),
    ("page of a status", 2 * (MANY + 1)),
    ("statistics", 2_000),
];
const MANY: i64 = 10;

async fn call(store: &PostgresStore, records: u64, name: &str, time: u64) {
    let [shop, depot] = ["shop", "depot"].map(|name| Source::new(name).unwrap());
    let product = EntityType::new("product").unwrap();
    let key = |id: u64| Key::new("shop", "product", id).unwrap();
    let many = MANY.unsigned_abs();
    let page = async |filter: Filter| {
        let size = PageSize::new(usize::try_from(many).unwrap()).unwrap();
        let page = store.list(&filter, None, size).await.unwrap();
        assert!(page.next.is_some());
    };
    let of_shop = Filter { source: Some(shop.clone()), ..Filter::default() };
    match name {
        "update" => {
            assert!(store.apply(&key(7 + time), &rules::updated()).await.unwrap().is_applied());
        }
        "create and remove" => {
            let new = key(records + 1 + time);
            assert!(store.apply(&new, &rules::created()).await.unwrap().is_applied());
            let _ = store.remove(&new, &Guard::default()).await.unwrap();
        }
        "update many" => {
            let batch: Vec<_> = (20..20 + many).map(|id| (key(id), rules::updated())).collect();
            assert!(store.apply_many(&batch).await.into_iter().all(|outcome| outcome.is_ok()));
        }
        "get" => assert!(store.get(&key(time + 1)).await.unwrap().is_some()),
        "get many" => {
            let keys: Vec<_> = (20..20 + many).map(key).collect();
            assert!(store.get_many(&keys).await.unwrap().iter().all(Option::is_some));
        }
        "by external ids" => {
            let ids: Vec<_> =
                (20..20 + many).map(|id| ExternalId::new(format!("x{id}")).unwrap()).collect();
            let found = store.by_external_ids(&shop, &product, &ids).await.unwrap();
            assert!(found.iter().all(Option::is_some));
        }
        "by external id" => {
            let id = ExternalId::new("x5").unwrap();
            assert!(store.by_external_id(&shop, &product, &id).await.unwrap().is_some());
        }
        "claim" => {
            let (limit, ttl) = (usize::try_from(many).unwrap(), Millis::new(1_000_000).unwrap());
            let request = ClaimRequest::new(shop, ClaimId::random(), limit, ttl, 5).unwrap();
            assert_eq!(store.claim(&request).await.unwrap().leased.len(), limit);
        }
        "put" => {
            let record = store.get(&key(time + 1)).await.unwrap().unwrap();
            assert!(store.put(&record).await.is_ok());
        }
        "records of" => {
            assert_eq!(store.records_of(&key(time + 1).entity).await.unwrap().len(), 1);
        }
        "sources" => assert_eq!(store.sources().await.unwrap(), [depot, shop]),
        "page" => page(of_shop).await,
        "page of what is due" => page(Filter { due: Some(true), ..of_shop }).await,
        "page of a status" => page(Filter { status: Some(Status::Pending), ..of_shop }).await,
        "statistics" => {
            let counts = store.statistics(&depot).await.unwrap().counts;
            assert_eq!(counts.total(), records / FEWER);
        }
        other => panic!("{other} is no call"),
    }
}

/// How the server may choose a plan of a prepared statement.
const MODES: [&str; 3] = ["auto", "force_generic_plan", "force_custom_plan"];

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
async fn among_many_records_a_call_reads_few() {
    assert_calls_read_few(RECORDS, Known::All).await;
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
async fn a_call_reads_few_records_of_tables_of_which_the_server_knows_nothing() {
    assert_calls_read_few(RECORDS, Known::Nothing).await;
    // So few that it expects one of each source and type.
    assert_calls_read_few(36_000, Known::Nothing).await;
}

async fn assert_calls_read_few(records: u64, known: Known) {
    let schema = OwnSchema::new();
    let (mut connection, options) = filled(&schema, records, known).await;
    let server: PgConnectOptions = url().parse().unwrap();
    for mode in MODES.map(Some).into_iter().chain([None]) {
        let open = async || match mode {
            Some(mode) => options(mode).open().await,
            // On a pool of the application's, without any setting of the store's.
            None => {
                let pools = PgPoolOptions::new().max_connections(1);
                let server = server.clone().application_name(schema.name());
                options("auto").open_on(pools.connect_lazy_with(server)).await
            }
        };
        closed(&mut connection, schema.name()).await;
        for (name, most) in CALLS {
            let (scans, fetched) = read_so_far(&mut connection, schema.name()).await;
            let store = open().await.unwrap();
            for time in 0..TIMES {
                call(&store, records, name, time).await;
            }
            drop(store);
            closed(&mut connection, schema.name()).await;
            let (scans_after, fetched_after) = read_so_far(&mut connection, schema.name()).await;
            assert_eq!(scans_after - scans, 0, "{mode:?}, {name}: a table was read whole");
            let each = (fetched_after - fetched) / i64::try_from(TIMES).unwrap();
            assert!(each <= most, "{mode:?}, {name}: {each} rows were fetched, {most} at most");
        }
    }
}

#[tokio::test]
#[ignore = "needs SYNC_TRACKER_POSTGRES_URL"]
async fn a_batch_reads_each_record_by_its_key_however_few_there_are() {
    for known in [Known::All, Known::Nothing] {
        assert_batches_read_each_by_its_key(known).await;
    }
}

async fn assert_batches_read_each_by_its_key(known: Known) {
    // So few that to read them all looks cheap.
    const FEW: u64 = 10_000;
    const BATCH: u64 = 1_000;
    let schema = OwnSchema::new();
    let (mut connection, options) = filled(&schema, FEW, known).await;
    let (scans, fetched) = read_so_far(&mut connection, schema.name()).await;
    let store = options("auto").open().await.unwrap();
    for time in 0..TIMES {
        let first = 1 + time * BATCH;
        let keys = (first..first + BATCH).map(|id| Key::new("shop", "product", id).unwrap());
        let keys: Vec<_> = keys.collect();
        assert!(store.get_many(&keys).await.unwrap().iter().all(Option::is_some));
        let items: Vec<_> = keys.into_iter().map(|key| (key, rules::updated())).collect();
        let outcomes = store.apply_many(&items).await;
        assert!(outcomes.into_iter().all(|outcome| outcome.unwrap().is_applied()));
    }
    drop(store);
    closed(&mut connection, schema.name()).await;
    let (scans_after, fetched_after) = read_so_far(&mut connection, schema.name()).await;
    assert_eq!(scans_after - scans, 0, "a table was read from end to end");
    let each = (fetched_after - fetched) / i64::try_from(TIMES * BATCH).unwrap();
    // To read it, to lock it, to write it.
    assert!(each <= 3, "{each} rows were fetched for each record");
}
