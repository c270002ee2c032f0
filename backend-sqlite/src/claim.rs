//! Claims, pauses and statistics on one connection.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, query};
use sync_tracker_core::{
    ClaimRequest, Claimed, EntityType, Outcome, Pause, PauseReason, PauseRequest, Result, Source,
    Statistics, Status, SyncRecord, Timestamp, claim_order,
};

use crate::error::{before_commit, corrupt};
use crate::records;
use crate::row::{self, decoding};
use crate::session::Session;
use crate::statements;

/// Every status whose records become due.
pub(crate) const WAITING: [Status; 3] = [Status::InProgress, Status::Failed, Status::Pending];

/// Claims due records of a source.
pub(crate) async fn claim(
    session: &mut Session<'_>,
    request: &ClaimRequest,
    now: Timestamp,
) -> Result<Claimed> {
    let on = session.flushed().await?;
    let mut claimed = Claimed::default();
    let mut granted = granted(on, request, now).await?;
    granted.sort_by(|a, b| claim_order(a).cmp(&claim_order(b)));
    granted.truncate(request.limit());
    let room = request.limit() - granted.len();
    let mut due = Vec::new();
    if paused(on, request.source(), now).await?.is_none() {
        for status in WAITING {
            // Of those whose lease has run out, one is taken at most.
            let wanted = if status == Status::InProgress { 1 } else { room };
            due.extend(due_in(on, request, status, wanted, now).await?);
        }
        due.sort_by(|a, b| claim_order(a).cmp(&claim_order(b)));
    }
    let selected = request.select(granted.len(), &due);
    granted.iter().cloned().for_each(|record| claimed.push(record));
    let change = request.change();
    for candidate in selected {
        let key = &candidate.key;
        let outcome = records::apply_to(session, key, Some(candidate), &change, now).await?;
        if let Outcome::Applied(applied) = outcome {
            claimed.push(applied.record);
        }
    }
    Ok(claimed)
}

async fn granted(
    on: &mut SqliteConnection,
    request: &ClaimRequest,
    now: Timestamp,
) -> Result<Vec<SyncRecord>> {
    let rows = query(statements::GRANTED)
        .bind(request.source().as_str())
        .bind(request.claim_id().to_string())
        .bind(now.as_millis())
        .fetch_all(on)
        .await;
    rows.map_err(before_commit)?.iter().map(row::record).collect()
}

/// The records of one status that are due longest, and that the claim may still take: so many, or
/// all that there are.
async fn due_in(
    on: &mut SqliteConnection,
    request: &ClaimRequest,
    status: Status,
    wanted: usize,
    now: Timestamp,
) -> Result<Vec<SyncRecord>> {
    let claimed_before =
        |record: &SyncRecord| record.recent_changes.contains(request.claim_id().change_id());
    let mut limit = wanted;
    loop {
        let rows = query(statements::DUE)
            .bind(request.source().as_str())
            .bind(status.as_str())
            .bind(now.as_millis())
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&mut *on)
            .await
            .map_err(before_commit)?;
        let records = rows.iter().map(row::record).collect::<Result<Vec<_>>>()?;
        let open = records.iter().filter(|record| !claimed_before(record)).count();
        if open >= wanted || records.len() < limit {
            return Ok(records);
        }
        limit *= 2;
    }
}

/// Pauses a source.
pub(crate) async fn pause(
    on: &mut SqliteConnection,
    source: &Source,
    request: &PauseRequest,
    now: Timestamp,
) -> Result<()> {
    let Pause { since, until, reason } = Pause::begin(request, now);
    let statement = query(statements::PAUSE)
        .bind(source.as_str())
        .bind(since.as_millis())
        .bind(until.map(Timestamp::as_millis))
        .bind(reason.as_str());
    statement.execute(on).await.map_err(before_commit)?;
    Ok(())
}

/// Ends the pause of a source.
pub(crate) async fn resume(on: &mut SqliteConnection, source: &Source) -> Result<()> {
    query(statements::RESUME).bind(source.as_str()).execute(on).await.map_err(before_commit)?;
    Ok(())
}

/// The pause of a source, if it lasts.
pub(crate) async fn paused(
    on: &mut SqliteConnection,
    source: &Source,
    now: Timestamp,
) -> Result<Option<Pause>> {
    let row = query(statements::PAUSED).bind(source.as_str()).fetch_optional(on).await;
    let Some(row) = row.map_err(before_commit)? else { return Ok(None) };
    let until: Option<i64> = row.try_get(1).map_err(before_commit)?;
    let reason: &str = row.try_get(2).map_err(before_commit)?;
    let pause = Pause {
        since: Timestamp::from_millis(row.try_get(0).map_err(before_commit)?).map_err(decoding)?,
        until: until.map(Timestamp::from_millis).transpose().map_err(decoding)?,
        reason: PauseReason::new(reason),
    };
    Ok(Some(pause).filter(|pause| pause.lasts(now)))
}

/// How a source is doing: from what is counted already, and what is not due yet.
pub(crate) async fn statistics(
    on: &mut SqliteConnection,
    source: &Source,
    now: Timestamp,
) -> Result<Statistics> {
    let mut statistics = Statistics::new(now);
    let rows =
        query(statements::STATISTICS).bind(source.as_str()).bind(now.as_millis()).fetch_all(on);
    let (mut counts, mut not_due) = (Vec::new(), 0);
    for row in rows.await.map_err(before_commit)? {
        let text = |at: usize| row.try_get::<&str, _>(at).map_err(before_commit);
        let at: Option<i64> = row.try_get(3).map_err(before_commit)?;
        let at = at.map(Timestamp::from_millis).transpose().map_err(decoding)?;
        let name = text(1)?;
        let status = Status::ALL.into_iter().find(|status| status.as_str() == name);
        let status = status.ok_or_else(|| corrupt("a status is not known"))?;
        match text(0)? {
            "counted" => {
                let of = EntityType::new(text(4)?).map_err(decoding)?;
                if !of.is_reserved() {
                    counts.push((of, status, count(&row)?));
                }
            }
            "not due" => {
                not_due += count(&row)?;
                statistics.next_due = statistics.next_due.into_iter().chain(at).min();
            }
            _ => statistics.oldest_pending = at,
        }
    }
    statistics.counts = counts.into_iter().collect();
    let waiting: u64 = WAITING.map(|status| statistics.counts.in_status(status)).iter().sum();
    statistics.due_now = waiting.saturating_sub(not_due);
    Ok(statistics)
}

fn count(row: &SqliteRow) -> Result<u64> {
    let count: i64 = row.try_get(2).map_err(before_commit)?;
    Ok(u64::try_from(count).unwrap_or(0))
}
