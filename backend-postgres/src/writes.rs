//! Imports, removals and renamings.

use sync_tracker_core::{
    ExternalId, Guard, Imported, Key, Refusal, Removal, Renamed, Result, SyncRecord, Timestamp,
};

use crate::apply::{Answer, Way, keyed};
use crate::compose::{State, Target, removal};
use crate::connections::Transaction;
use crate::error::{Effect, Failed};
use crate::row;
use crate::store::{PostgresStore, TRIES, column, crowded, instant};
use crate::value::change_id;

fn ids_of(record: &SyncRecord) -> Vec<&str> {
    record.external_ids().map(ExternalId::as_str).collect()
}

impl PostgresStore {
    pub(crate) async fn import(&self, record: &SyncRecord) -> Result<Imported> {
        record.validate()?;
        let mut failure = None;
        for _ in 0..TRIES {
            let query = row::bind(record, self.statements.put.query())?
                .bind(ids_of(record))
                .bind(record.holds_external_ids());
            let rows = match self.connections.fetch(query, Effect::Write).await {
                Err(failed) if failed.again => {
                    failure = Some(failed);
                    continue;
                }
                rows => rows?,
            };
            match rows.first().map(|row| column(row, 0)).transpose()? {
                Some(true) => return Ok(Imported::Stored),
                Some(false) => {
                    let mut way = Way::Ours(&self.connections);
                    // What the record itself holds is not taken from it.
                    if let Some(refusal) = self.taken(&mut way, None, record).await? {
                        return Ok(Imported::Refused(refusal));
                    }
                    let id = record.external_ids().next().cloned();
                    if let Some(id) = id {
                        let refusal = Refusal::ExternalIdTaken { id, by: None };
                        return Ok(Imported::Refused(refusal));
                    }
                }
                None => {}
            }
        }
        Err(failure.map_or_else(crowded, Into::into))
    }

    pub(crate) async fn remove_if(&self, key: &Key, guard: &Guard) -> Result<Removal, Failed> {
        let change = removal(guard)?;
        let prepared = self.statements.of(&change, Target::Removal);
        let mut query = keyed(prepared.text.query(), key);
        query = query.bind(change_id(change.id())).bind(self.clock());
        for param in &prepared.params {
            query = param.of(&change).bind(query);
        }
        let rows = self.connections.fetch(query, Effect::Write).await?;
        let Some(row) = rows.first() else { return Ok(Removal::Absent) };
        let answer = Answer::read(row)?;
        if answer.state == State::Applied {
            return Ok(Removal::Removed);
        }
        let refusal = guard.refusal(Some(&answer.record), answer.at()?);
        Ok(Removal::Refused(refusal.unwrap_or(Refusal::VersionMismatch)))
    }

    /// Translates `Ledger::rename`, in one transaction.
    pub(crate) async fn move_record(&self, from: &Key, to: &Key) -> Result<Renamed> {
        let mut failure = None;
        for _ in 0..TRIES {
            let moved = async {
                let mut transaction = self.connections.begin().await?;
                match self.move_in(&mut transaction, from, to).await {
                    Ok(Renamed::Moved) => {
                        transaction.commit(Effect::Write).await.map(|()| Renamed::Moved)
                    }
                    Ok(other) => transaction.roll_back().await.map(|()| other),
                    Err(failed) => transaction.failed(failed),
                }
            };
            match moved.await {
                Err(failed) if failed.again => failure = Some(failed),
                other => return other.map_err(Into::into),
            }
        }
        Err(failure.map_or_else(crowded, Into::into))
    }

    async fn move_in(
        &self,
        transaction: &mut Transaction,
        from: &Key,
        to: &Key,
    ) -> Result<Renamed, Failed> {
        let query = self.statements.lock_two.query().bind(self.clock());
        let query = keyed(keyed(query, from), to);
        let rows = transaction.fetch(query).await?;
        let (mut record, mut other, mut now) = (None, false, Timestamp::MIN);
        for row in &rows {
            now = instant(column(row, 0)?)?;
            let found = row::record(row, 1)?;
            if found.key == *from {
                record = Some(found);
            } else {
                other = true;
            }
        }
        let Some(record) = record else { return Ok(Renamed::Absent) };
        if from == to {
            return Ok(Renamed::Moved);
        }
        if let Some(refusal) = record.rename_refusal(now) {
            return Ok(Renamed::Refused(refusal));
        }
        if other {
            return Ok(Renamed::Refused(Refusal::AlreadyExists));
        }
        let none: Vec<&str> = Vec::new();
        let (ids, held) = (ids_of(&record), record.holds_external_ids());
        let query = keyed(self.statements.hold.query(), from);
        let query = query.bind(ids.clone()).bind(held).bind(none.clone()).bind(true);
        transaction.fetch(query).await?;
        let query = keyed(self.statements.hold.query(), to);
        let query = query.bind(none).bind(true).bind(ids).bind(held);
        let rows = transaction.fetch(query).await?;
        if !column::<bool>(crate::store::first(&rows)?, 0)? {
            let moved = record.renamed(to);
            let mut way = Way::Theirs(transaction.connection()?, &self.connections);
            let taken = self.taken(&mut way, None, &moved).await?;
            let first = moved.external_ids().next().cloned();
            let unknown = first.map(|id| Refusal::ExternalIdTaken { id, by: None });
            return match taken.or(unknown) {
                Some(refusal) => Ok(Renamed::Refused(refusal)),
                None => Err(crowded().into()),
            };
        }
        let query = keyed(keyed(self.statements.rename.query(), from), to);
        match transaction.fetch(query).await {
            Ok(_) => Ok(Renamed::Moved),
            // A record was made there since.
            Err(failed) if failed.is_duplicate => Ok(Renamed::Refused(Refusal::AlreadyExists)),
            Err(failed) => Err(failed),
        }
    }
}
