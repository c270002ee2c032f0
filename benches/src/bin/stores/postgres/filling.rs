//! The records of the store and of its own statements.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row, query, raw_sql};
use sync_tracker_benches::Failure;
use sync_tracker_benches::ours;
use sync_tracker_benches::population::{DUE_EVERY, Population};
use sync_tracker_core::{Outcome, SyncRecord, SyncStore, Timestamp, rules};
use sync_tracker_postgres::PostgresStore;

/// Fills two schemas alike. The store makes the records of the first, each by one change; if they
/// are to remember more, both are made from those: to change each record 16 times would take long,
/// and leave tables that are half empty.
pub(crate) async fn fill(
    store: &PostgresStore,
    on: &mut PgConnection,
    [ours, same]: [&str; 2],
    population: &Population,
) -> Result<(), Failure> {
    ours::fill(store, &Population::new(population.size(), 1)?).await?;
    copy(on, ours, same, population.recent_changes()).await?;
    if population.recent_changes() > 1 {
        let empty = format!("TRUNCATE {ours}.records, {ours}.records_ids");
        raw_sql(AssertSqlSafe(empty)).execute(&mut *on).await?;
        copy(on, same, ours, 1).await?;
    }
    for number in [0, 1, DUE_EVERY, population.size() - 1] {
        check(store, population, number).await?;
    }
    Ok(())
}

/// Copies the records and their ids to empty tables in the order of their keys, as if the change
/// that made each had been made so many times.
async fn copy(on: &mut PgConnection, from: &str, to: &str, times: usize) -> Result<(), Failure> {
    let columns = "SELECT column_name::text FROM information_schema.columns \
         WHERE table_schema = $1 AND table_name = 'records' AND is_generated = 'NEVER'";
    let (mut columns_to, mut values) = (Vec::new(), Vec::new());
    for row in query(columns).bind(from).fetch_all(&mut *on).await? {
        let column: String = row.try_get(0)?;
        values.push(match column.as_str() {
            "version" => format!("version + {times} - 1"),
            "recent_changes" => format!(
                "coalesce((SELECT string_agg(int8send(hashint8extended(n, version)), '') \
                 FROM generate_series(octet_length(recent_changes) / 8 + 1, {times}) n), '') \
                 || recent_changes"
            ),
            column => column.to_owned(),
        });
        columns_to.push(column);
    }
    let copies = format!(
        "INSERT INTO {to}.records ({}) SELECT {} FROM {from}.records \
         ORDER BY source, entity_type, entity_id;
         INSERT INTO {to}.records_ids SELECT * FROM {from}.records_ids \
         ORDER BY source, entity_type, entity_id",
        columns_to.join(", "),
        values.join(", "),
    );
    raw_sql(AssertSqlSafe(copies)).execute(on).await?;
    Ok(())
}

/// Fails unless a record is what the changes would have made of it, but for when that was.
async fn check(
    store: &PostgresStore,
    population: &Population,
    number: usize,
) -> Result<(), Failure> {
    let external_id = population.external_id(number)?;
    let (source, entity_type) = (population.source(), population.entity_type());
    let there = store.by_external_id(source, entity_type, &external_id).await?;
    let there = there.ok_or("an external id leads nowhere")?;
    let expected = expected(population, number, there.created_at)?;
    let at = |expected: Option<Timestamp>, there: Option<_>| Some(there.unwrap_or(expected?));
    let recent = |record: &SyncRecord| record.recent_changes.iter().len();
    let alike = recent(&there) == recent(&expected);
    let expected = SyncRecord {
        incarnation: there.incarnation,
        updated_at: at(expected.updated_at, there.updated_at),
        pending_since: at(expected.pending_since, there.pending_since),
        synced_at: at(expected.synced_at, there.synced_at),
        sighted_at: at(expected.sighted_at, there.sighted_at),
        recent_changes: there.recent_changes.clone(),
        ..expected
    };
    if !alike || there != expected {
        return Err(format!("filled with {there:?}, but the changes make {expected:?}").into());
    }
    Ok(())
}

/// What [`ours::fill`] makes of a record.
fn expected(population: &Population, number: usize, at: Timestamp) -> Result<SyncRecord, Failure> {
    let key = population.key(number)?;
    let synced = (0..population.recent_changes()).map(|_| population.synced(number));
    let due = population.is_due(number).then(|| Ok(rules::updated()));
    let mut record = None;
    for change in synced.chain(due) {
        match change?.apply_to(&key, record.as_ref(), at) {
            Outcome::Applied(applied) => record = Some(applied.record),
            Outcome::Refused(refused) => return Err(refused.reason.to_string().into()),
        }
    }
    Ok(record.ok_or("a record that nothing makes")?)
}
