//! Claims.

use sync_tracker_core::{ClaimRequest, Claimed, Result, claim_order};

use crate::apply::Answer;
use crate::compose::{State, Target};
use crate::error::{Effect, Failed};
use crate::store::PostgresStore;
use crate::value::{change_id, whole};

impl PostgresStore {
    /// One statement: chooses, locks what nobody else has locked, and changes.
    pub(crate) async fn claim_once(&self, request: &ClaimRequest) -> Result<Claimed, Failed> {
        let change = request.change();
        // Few statements for all limits.
        let most = [1, 10, 100].into_iter().find(|most| request.limit() <= usize::from(*most));
        let prepared = self.statements.of(&change, Target::Claim(most.unwrap_or(1_000)));
        let limit = u64::try_from(request.limit()).unwrap_or(u64::MAX);
        let mut query = prepared.text.query();
        query = query
            .bind(request.source().as_str())
            .bind(change_id(change.id()))
            .bind(self.clock())
            .bind(whole(limit))
            .bind(request.claim_id().to_string());
        for param in &prepared.params {
            query = param.of(&change).bind(query);
        }
        let rows = self.connections.fetch(query, Effect::Write).await?;
        let answers: Result<Vec<_>> = rows.iter().map(Answer::read).collect();
        let (mut granted, mut taken): (Vec<_>, Vec<_>) = answers?
            .into_iter()
            .filter(|answer| matches!(answer.state, State::Granted | State::Applied))
            .partition(|answer| answer.state == State::Granted);
        granted.sort_by(|a, b| claim_order(&a.record).cmp(&claim_order(&b.record)));
        taken.sort_by_key(|answer| answer.place);
        let mut claimed = Claimed::default();
        granted.into_iter().chain(taken).for_each(|answer| claimed.push(answer.record));
        Ok(claimed)
    }
}
