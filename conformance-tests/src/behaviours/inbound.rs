//! The pull side: what was seen in the remote, and conflicts.

use sync_tracker_core::rules::{
    self, Accept, Bind, BindMode, Encounter, Observe, Resolve, Success, Winner,
};
use sync_tracker_core::{
    ConflictKind, ExternalId, Fingerprint, Freshness, Key, Observation, Outcome, Refusal,
    RemoteState, RemoteVersion, Status, SyncRecord, Verdict, Via,
};

use super::apply::fingerprint;
use super::local::completed;
use super::races::{TASKS, applied, race};
use crate::ground::{Ground, external_id, product, request};

const ROUNDS: usize = 10;

fn sequence(number: i64) -> Option<RemoteVersion> {
    Some(RemoteVersion::Sequence(number))
}

fn content(hash: &str) -> RemoteState {
    RemoteState::Present(Some(fingerprint(hash)))
}

fn event(version: Option<RemoteVersion>, state: RemoteState) -> Observation {
    Observation { external_id: external_id("x"), version, state, freshness: Freshness::Event }
}

/// A product with external id `x` whose content `base` is in the remote, at version 10.
async fn in_step(ground: &Ground, key: &Key, id: &ExternalId) -> SyncRecord {
    let success = Success {
        external_id: Some(id.clone()),
        remote_version: sequence(10),
        fingerprint: Some(fingerprint("ba5e")),
        ..Success::default()
    };
    ground.applied(key, &rules::MarkSynced { success }.change()).await
}

impl Ground {
    /// Observes, and checks that the store makes of it what the reference makes.
    async fn observes(&self, key: &Key, observation: Observation) -> Verdict {
        let record = self.record(key).await;
        let observe = Observe { record: &record, observation };
        let change = observe.change();
        let expected = change.apply_to(key, Some(&record), self.now());
        let outcome = self.apply(key, &change).await;
        assert_eq!(outcome, expected);
        observe.verdict(&outcome).expect("nothing came between")
    }

    async fn accepts(&self, observed: &SyncRecord, observation: Observation) -> Outcome {
        let Observation { external_id, version, state, freshness: _ } = observation;
        let SyncRecord { incarnation, revision, .. } = *observed;
        let accept = Accept { external_id, incarnation, revision, version, state };
        self.apply(&observed.key, &accept.change()).await
    }
}

pub async fn news_is_news_until_it_is_accepted(ground: Ground) {
    let key = product("1");
    in_step(&ground, &key, &external_id("x")).await;
    let newer = event(sequence(11), content("aa"));
    for _ in 0..2 {
        assert_eq!(ground.observes(&key, newer.clone()).await, Verdict::Newer);
    }
    let record = ground.record(&key).await;
    assert!(ground.accepts(&record, newer.clone()).await.is_applied());
    let record = ground.record(&key).await;
    assert_eq!((record.remote_version, record.base), (sequence(11), Some(fingerprint("aa"))));
    assert_eq!(ground.observes(&key, newer).await, Verdict::Same);
    ground.is_sound().await;
}

pub async fn what_is_older_than_what_was_seen_is_stale(ground: Ground) {
    let key = product("1");
    in_step(&ground, &key, &external_id("x")).await;
    let cases = [
        (12, "aa", Verdict::Newer),
        (11, "bb", Verdict::Stale),
        (12, "aa", Verdict::Newer),
        (9, "ba5e", Verdict::Stale),
        (13, "aa", Verdict::Newer),
    ];
    for (version, hash, verdict) in cases {
        assert_eq!(ground.observes(&key, event(sequence(version), content(hash))).await, verdict);
    }
    let opaque = RemoteVersion::opaque("\"etag\"").ok();
    assert_eq!(ground.observes(&key, event(opaque, content("cc"))).await, Verdict::Unordered);
}

pub async fn accepting_needs_the_version_that_was_seen_last(ground: Ground) {
    let key = product("1");
    in_step(&ground, &key, &external_id("x")).await;
    let first = event(sequence(11), content("aa"));
    assert_eq!(ground.observes(&key, first.clone()).await, Verdict::Newer);
    let observed = ground.record(&key).await;
    assert_eq!(ground.observes(&key, event(sequence(12), content("bb"))).await, Verdict::Newer);
    let before = ground.record(&key).await;
    let outcome = ground.accepts(&observed, first).await;
    assert_eq!(outcome.refusal(), Some(&Refusal::RemoteMoved));
    assert_eq!(ground.record(&key).await, before, "and has no effect");
}

pub async fn accepting_leaves_what_was_changed_meanwhile_dirty(ground: Ground) {
    let key = product("1");
    in_step(&ground, &key, &external_id("x")).await;
    let newer = event(sequence(11), content("aa"));
    assert_eq!(ground.observes(&key, newer.clone()).await, Verdict::Newer);
    let observed = ground.record(&key).await;
    ground.applied(&key, &rules::updated()).await;
    assert!(ground.accepts(&observed, newer).await.is_applied());
    assert_eq!(ground.record(&key).await.status(), Status::Pending);
    ground.lease(&key).await;
}

pub async fn an_echo_is_consumed_once(ground: Ground) {
    let key = product("1");
    in_step(&ground, &key, &external_id("x")).await;
    ground.applied(&key, &rules::updated()).await;
    let leased = ground.lease(&key).await;
    for hash in ["aa", "bb", "aa"] {
        let expect = rules::expect_echo(Some(leased.token), &fingerprint(hash));
        ground.applied(&key, &expect).await;
    }
    for verdict in [Verdict::Echo, Verdict::Echo, Verdict::Conflict(ConflictKind::EditEdit)] {
        assert_eq!(ground.observes(&key, event(None, content("aa"))).await, verdict);
    }
    assert_eq!(ground.record(&key).await.echoes, [fingerprint("bb")]);
    let late = rules::expect_echo(Some(leased.token), &fingerprint("cc"));
    ground.applied(&key, &completed(&leased, Success::default()).change()).await;
    assert_eq!(ground.refused(&key, &late).await, Refusal::LeaseLost);
}

pub async fn content_equal_to_the_base_is_no_conflict(ground: Ground) {
    let key = product("1");
    in_step(&ground, &key, &external_id("x")).await;
    ground.applied(&key, &rules::updated()).await;
    let same = event(sequence(11), content("ba5e"));
    assert_eq!(ground.observes(&key, same).await, Verdict::Same);
    let record = ground.record(&key).await;
    assert_eq!((record.status(), record.remote_version), (Status::Pending, sequence(11)));
    let other = event(sequence(12), content("aa"));
    let conflict = Verdict::Conflict(ConflictKind::EditEdit);
    assert_eq!(ground.observes(&key, other).await, conflict);
}

pub async fn an_open_conflict_keeps_the_record_from_being_claimed(ground: Ground) {
    let key = product("1");
    in_step(&ground, &key, &external_id("x")).await;
    ground.applied(&key, &rules::updated()).await;
    let _ = ground.observes(&key, event(sequence(11), content("aa"))).await;
    assert_eq!(ground.record(&key).await.status(), Status::Conflict);
    assert!(ground.claim(&request(9)).await.is_empty());
    assert_eq!(ground.counts().await.in_status(Status::Conflict), 1);
    // A later deletion there makes it another conflict, since when it was opened.
    let since = ground.record(&key).await.conflict.expect("it is open").since;
    ground.advance(5);
    let kind = ConflictKind::EditDelete;
    let gone = event(sequence(12), RemoteState::Deleted);
    assert_eq!(ground.observes(&key, gone).await, Verdict::Conflict(kind));
    let open = ground.record(&key).await.conflict.expect("it is open");
    assert_eq!((open.kind, open.since), (kind, since));
    ground.is_sound().await;
}

pub async fn a_resolved_conflict_leaves_what_was_decided(ground: Ground) {
    let cases = [
        (false, content("aa"), Winner::Local, Status::Pending),
        (false, content("aa"), Winner::Remote, Status::Synced),
        (false, RemoteState::Deleted, Winner::Local, Status::Pending),
        (false, RemoteState::Deleted, Winner::Remote, Status::Deleted),
        (true, content("aa"), Winner::Local, Status::Pending),
        (true, content("aa"), Winner::Remote, Status::Synced),
    ];
    for (number, (deleted, state, winner, status)) in cases.into_iter().enumerate() {
        let (key, id) = (product(&number.to_string()), external_id(&format!("x{number}")));
        in_step(&ground, &key, &id).await;
        let local = if deleted { rules::deleted() } else { rules::updated() };
        ground.applied(&key, &local).await;
        let observation = Observation { external_id: id.clone(), ..event(sequence(11), state) };
        assert!(matches!(ground.observes(&key, observation).await, Verdict::Conflict(_)));
        let record = ground.record(&key).await;
        let remote = Some(fingerprint("aa"));
        ground.agrees(&key, &Resolve { record: &record, winner, remote }.change()).await;
        let resolved = ground.record(&key).await;
        assert_eq!(resolved.status(), status, "case {number}");
        assert_eq!(resolved.conflict, None);
        // Only what was created anew has let go of its id.
        let anew = resolved.incarnation > record.incarnation;
        assert_eq!(ground.find(&key, id.as_str()).await.is_none(), anew);
    }
    ground.is_sound().await;
}

pub async fn a_decision_is_refused_if_anything_moved(ground: Ground) {
    let key = product("1");
    in_step(&ground, &key, &external_id("x")).await;
    ground.applied(&key, &rules::updated()).await;
    let _ = ground.observes(&key, event(None, content("aa"))).await;
    let decided = ground.record(&key).await;
    let _ = ground.observes(&key, event(None, content("bb"))).await;
    let resolve = Resolve { record: &decided, winner: Winner::Remote, remote: None }.change();
    assert_eq!(ground.refused(&key, &resolve).await, Refusal::VersionMismatch);
}

pub async fn a_deletion_in_the_remote_makes_a_tombstone(ground: Ground) {
    let key = product("1");
    in_step(&ground, &key, &external_id("x")).await;
    let gone = event(sequence(11), RemoteState::Deleted);
    assert_eq!(ground.observes(&key, gone.clone()).await, Verdict::Deleted);
    let observed = ground.record(&key).await;
    assert_eq!(observed.status(), Status::Synced, "until it is accepted");
    assert!(ground.accepts(&observed, gone).await.is_applied());
    assert_eq!(ground.record(&key).await.status(), Status::Deleted);
    let bind = Bind { external_id: external_id("x"), mode: BindMode::Add };
    ground.applied(&product("2"), &bind.change()).await;
    assert_eq!(ground.find(&key, "x").await, Some(product("2")), "its id is free");
    ground.is_sound().await;
}

pub async fn what_reappears_in_the_remote_begins_a_new_life(ground: Ground) {
    let key = product("1");
    in_step(&ground, &key, &external_id("x")).await;
    let gone = event(sequence(11), RemoteState::Deleted);
    let _ = ground.observes(&key, gone.clone()).await;
    let observed = ground.record(&key).await;
    assert!(ground.accepts(&observed, gone).await.is_applied());
    ground.advance(1);
    let back = event(sequence(12), content("aa"));
    assert_eq!(ground.observes(&key, back.clone()).await, Verdict::Reappeared);
    let observed = ground.record(&key).await;
    assert!(ground.accepts(&observed, back.clone()).await.is_applied());
    let record = ground.record(&key).await;
    assert!(record.incarnation > observed.incarnation);
    assert_eq!((record.status(), record.external_id), (Status::Synced, Some(external_id("x"))));
    assert_eq!(ground.find(&key, "x").await, Some(key.clone()));
    assert!(!ground.accepts(&observed, back).await.is_applied(), "it was another life");
    ground.is_sound().await;
}

pub async fn an_object_that_was_made_on_both_sides_is_a_conflict(ground: Ground) {
    let encounter = |same_as| Encounter {
        external_id: external_id("x"),
        version: sequence(3),
        content: Some(fingerprint("aa")),
        same_as,
    };
    let [absent, other, same] = ["1", "2", "3"].map(product);
    let record = ground.applied(&absent, &encounter(None).change()).await;
    assert_eq!(record.status(), Status::Conflict);
    ground.applied(&other, &rules::created()).await;
    let taken = ground.refused(&other, &encounter(None).change()).await;
    assert!(matches!(taken, Refusal::ExternalIdTaken { .. }), "{taken}");
    let created = ground.applied(&same, &rules::created()).await;
    let free = Encounter { external_id: external_id("y"), ..encounter(Some(created.revision)) };
    ground.agrees(&same, &free.change()).await;
    assert_eq!(ground.record(&same).await.status(), Status::Synced);
    let known = Encounter { same_as: None, ..free };
    ground.refused(&same, &known.change()).await;
    ground.is_sound().await;
}

pub async fn an_id_that_was_merged_away_leads_to_the_winner(ground: Ground) {
    let (key, other) = (product("1"), product("2"));
    let [x, y, z] = ["x", "y", "z"].map(external_id);
    let record = in_step(&ground, &key, &x).await;
    let record = ground.applied(&key, &rules::merge::supersede(&record, &y)).await;
    let record = ground.applied(&key, &rules::merge::add_alias(&record, &z)).await;
    let vias: Vec<_> = [&x, &y, &z].iter().map(|id| record.via(id)).collect();
    assert_eq!(vias, [Some(Via::Alias), Some(Via::ExternalId), Some(Via::Alias)]);
    for id in ["x", "y", "z"] {
        assert_eq!(ground.find(&key, id).await, Some(key.clone()));
        let bind = Bind { external_id: external_id(id), mode: BindMode::Add };
        let refused = ground.refused(&other, &bind.change()).await;
        assert!(matches!(refused, Refusal::ExternalIdTaken { .. }), "{refused}");
    }
    let collide = rules::merge::collide(&record);
    ground.agrees(&key, &collide).await;
    assert_eq!(ground.record(&key).await.status(), Status::Conflict);
    let stale = rules::merge::add_alias(&record, &external_id("w"));
    assert_eq!(ground.refused(&key, &stale).await, Refusal::VersionMismatch);
    ground.is_sound().await;
}

pub async fn what_was_sighted_is_not_missed(ground: Ground) {
    let key = product("1");
    let before = in_step(&ground, &key, &external_id("x")).await;
    ground.advance(1_000);
    let sighted = ground.applied(&key, &rules::sighted()).await;
    assert_eq!(sighted.sighted_at, Some(ground.now()));
    let late = ground.refused(&key, &rules::missed(&before)).await;
    assert_eq!(late, Refusal::VersionMismatch);
    let missed = ground.applied(&key, &rules::missed(&sighted)).await;
    assert_eq!((missed.remote_deleted_at, missed.status()), (Some(ground.now()), Status::Synced));
    ground.agrees(&key, &rules::accept_missed(&missed)).await;
    assert_eq!(ground.record(&key).await.status(), Status::Deleted);
    // With something to push it is a conflict.
    let dirty = product("2");
    in_step(&ground, &dirty, &external_id("y")).await;
    let changed = ground.applied(&dirty, &rules::updated()).await;
    let missed = ground.applied(&dirty, &rules::missed(&changed)).await;
    assert_eq!(missed.conflict.map(|open| open.kind), Some(ConflictKind::EditDelete));
    ground.is_sound().await;
}

pub async fn of_many_copies_of_an_echo_one_is_consumed(ground: Ground) {
    let echo: Fingerprint = fingerprint("aa");
    for round in 0..ROUNDS {
        let (key, id) = (product(&round.to_string()), external_id(&format!("x{round}")));
        in_step(&ground, &key, &id).await;
        let record = ground.applied(&key, &rules::expect_echo(None, &echo)).await;
        let observation = Observation { external_id: id, ..event(None, content("aa")) };
        let verdicts = race(&ground, TASKS, |store, _| {
            let (record, observation) = (record.clone(), observation.clone());
            async move {
                let observe = Observe { record: &record, observation };
                let outcome = store.apply(&record.key, &observe.change()).await;
                observe.verdict(&outcome.expect("the observation is answered"))
            }
        })
        .await;
        let echoes = verdicts.iter().filter(|verdict| **verdict == Some(Verdict::Echo)).count();
        assert_eq!(echoes, 1, "{verdicts:?}");
        let news = verdicts.iter().filter(|verdict| **verdict == Some(Verdict::Newer)).count();
        assert_eq!(news, TASKS - 1, "{verdicts:?}");
    }
}

pub async fn a_change_racing_a_decision_is_not_lost(ground: Ground) {
    for round in 0..ROUNDS {
        let (key, id) = (product(&round.to_string()), external_id(&format!("x{round}")));
        in_step(&ground, &key, &id).await;
        ground.applied(&key, &rules::updated()).await;
        let observation = Observation { external_id: id, ..event(sequence(11), content("aa")) };
        let _ = ground.observes(&key, observation).await;
        let record = ground.record(&key).await;
        let outcomes = race(&ground, 2, |store, task| {
            let change = match task {
                0 => rules::updated(),
                _ => Resolve { record: &record, winner: Winner::Remote, remote: None }.change(),
            };
            let key = key.clone();
            async move { store.apply(&key, &change).await.expect("the change is answered") }
        })
        .await;
        // Decided first, then changed: to be pushed. Changed first: to be decided again.
        let status = ground.record(&key).await.status();
        let expected = if applied(&outcomes) == 2 { Status::Pending } else { Status::Conflict };
        assert_eq!(status, expected);
    }
}
