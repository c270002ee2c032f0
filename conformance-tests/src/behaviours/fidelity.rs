//! What goes in comes out.

use serde_json::{Value, json};
use sync_tracker_core::rules::{self, Bind, BindMode, MarkSynced, Success};
use sync_tracker_core::{
    AliasesOp, Arm, Change, ClaimId, ClaimRequest, FailureNote, Fingerprint, Imported, Key,
    Metadata, MetadataMerge, Millis, Patch, PauseReason, PauseRequest, RemoteVersion, Revision,
    Status, SyncRecord, Timestamp, Token, Version,
};

use super::apply::full_record;
use super::local::completed;
use crate::ground::{Ground, at, external_id, fail, product, schedule, span};

/// Text that something along the way may take for more than text.
fn hostile() -> Vec<String> {
    let mut texts: Vec<String> = [
        "null",
        "0",
        "NaN",
        "true",
        "-",
        "--",
        ";",
        "'",
        "''",
        "\"",
        "\\",
        "\\0",
        "`",
        "$1",
        "$x",
        "$$NOW",
        "$literal",
        "a.b",
        ".",
        "%",
        "_",
        "*?[a]",
        "{tag}",
        "{shop}",
        "a:b",
        "a/b",
        "#",
        "' OR 1=1 --",
        "'); DROP TABLE records; --",
        "redis.call('FLUSHALL')",
        "${jndi:x}",
        "{\"$ne\":null}",
        "é",
        "e\u{301}",
        "İ",
        "ß",
        "ﬁ",
        "\u{feff}x",
        "\u{202e}x",
        "\u{fffd}",
        "\u{ffff}",
        "\u{10ffff}",
        "👩‍👩‍👧",
        "日本語",
        " ",
        " x",
        "x ",
        "\u{a0}",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("x".repeat(255));
    texts.push("é".repeat(127));
    texts
}

/// Text that no server can make shorter by compressing it: the same for every length, but for its
/// length.
fn noise(bytes: usize) -> String {
    let next = |state: &u32| Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    let states = std::iter::successors(Some(1), next);
    states.filter_map(|state| char::from_digit(state >> 27, 36)).take(bytes).collect()
}

/// The text, or a short one in its place where only `max` bytes are allowed.
fn fitting(text: &str, max: usize) -> &str {
    if text.len() <= max { text } else { "x" }
}

fn metadata(value: Value) -> Metadata {
    Metadata::new(value).unwrap()
}

fn replaced(value: Value) -> Change {
    let success = Success::default().replacing_metadata(metadata(value));
    MarkSynced { success }.change()
}

pub async fn hostile_text_comes_back_as_it_was(ground: Ground) {
    for text in hostile() {
        let key = Key::new(text.as_str(), text.as_str(), text.as_str()).unwrap();
        let success = Success {
            external_id: Some(external_id(&text)),
            remote_version: Some(RemoteVersion::opaque(&text).unwrap()),
            fingerprint: Fingerprint::new(format!("t:{}", fitting(&text, 126))).ok(),
            ..Success::default()
        }
        .replacing_metadata(metadata(json!({ text.clone(): text.clone() })));
        let record = ground.applied(&key, &MarkSynced { success }.change()).await;
        assert_eq!(ground.record(&key).await, record);
        assert_eq!(record.external_id, Some(external_id(&text)));
        assert_eq!(record.metadata, metadata(json!({ text.clone(): text.clone() })));
        assert_eq!(ground.find(&key, &text).await, Some(key.clone()));

        ground.applied(&key, &rules::updated()).await;
        let claim = ClaimId::labelled(fitting(&text, 128)).unwrap();
        let request = ClaimRequest::new(key.source.clone(), claim.clone(), 1, span(1), 9).unwrap();
        let leased = ground.claim(&request).await.leased.remove(0);
        assert_eq!(leased.lease.as_ref().map(|lease| &lease.claim_id), Some(&claim));
        let note = FailureNote::transient(&text).with_code(&text);
        let failed = ground.applied(&key, &fail(&leased, &note)).await;
        assert_eq!(failed.failure.as_ref().map(|failure| &*failure.message), Some(&*text));
        assert_eq!(ground.record(&key).await, failed);
    }
    ground.is_sound().await;
}

pub async fn the_longest_text_comes_back_as_it_was(ground: Ground) {
    let long = |bytes: usize, end: &str| format!("{}{end}", noise(bytes - end.len()));
    let [one, other] = ["é", "ü"].map(|end| long(255, end));
    let keys = [&one, &other].map(|id| Key::new(one.as_str(), one.as_str(), id.as_str()).unwrap());
    for (key, end) in keys.iter().zip(["é", "ü"]) {
        let tag = |text: &str| format!("sha256:{text}");
        let success = Success {
            external_id: Some(external_id(&long(512, end))),
            remote_version: Some(RemoteVersion::opaque(long(512, end)).unwrap()),
            fingerprint: Some(Fingerprint::new(tag(&long(121, end))).unwrap()),
            ..Success::default()
        }
        .replacing_metadata(metadata(json!({ long(100_000, end): long(100_000, end) })));
        ground.agrees(key, &MarkSynced { success }.change()).await;
        let add =
            Patch { aliases: AliasesOp::Add(external_id(&long(511, end))), ..Patch::default() };
        let add = Arm { then: add, ..Arm::default() };
        ground.agrees(key, &Change::new([add]).unwrap()).await;
        let note = FailureNote::transient(long(4 * 1024, end)).with_code(long(255, end));
        ground.agrees(key, &rules::mark_failed(&note, &schedule(), None)).await;
        ground.advance(1_000);
        let claim = ClaimId::labelled(long(128, end)).unwrap();
        let request = ClaimRequest::new(key.source.clone(), claim.clone(), 1, span(1), 9).unwrap();
        let leased = ground.store.claim(&request).await.unwrap().leased.remove(0);
        assert_eq!(leased.lease.as_ref().map(|lease| &lease.claim_id), Some(&claim));
        assert_eq!(ground.record(key).await, leased);
        ground.applied(key, &completed(&leased, Success::default()).change()).await;
    }
    for (key, end) in keys.iter().zip(["é", "ü"]) {
        for bytes in [511, 512] {
            assert_eq!(ground.find(key, &long(bytes, end)).await.as_ref(), Some(key));
        }
    }
    let source = &keys[0].source;
    let reason = PauseReason::new(long(1024, "é"));
    let pause = PauseRequest { span: None, reason: reason.clone() };
    ground.store.pause(source, &pause).await.unwrap();
    let paused = ground.store.paused(source).await.unwrap();
    assert_eq!(paused.map(|pause| pause.reason), Some(reason));
    ground.is_sound().await;
}

pub async fn metadata_may_add_up_to_more_than_one_change_carries(ground: Ground) {
    let key = product("1");
    for part in ["a", "b", "c"] {
        let set = metadata(json!({ part: "x".repeat(200 * 1024) }));
        let merge = MetadataMerge::new(set, Vec::<&str>::new()).unwrap();
        let success = Success::default().merging_metadata(merge);
        ground.agrees(&key, &MarkSynced { success }.change()).await;
    }
    assert_eq!(ground.record(&key).await.metadata.iter().count(), 3);
}

pub async fn names_that_could_be_confused_stay_apart(ground: Ground) {
    let keys = [
        ("a", "b", "c:d"),
        ("a", "b:c", "d"),
        ("a:b", "c", "d"),
        ("a", "b", "c/d"),
        ("a", "b/c", "d"),
        ("a", "b", "c"),
        ("A", "b", "c"),
        ("a", "B", "c"),
        ("a", "b", "C"),
        ("a ", "b", "c"),
        ("a", "b ", "c"),
        ("a", "b", " c"),
        ("{a}", "b", "c"),
        ("a", "b", "é"),
        ("a", "b", "e\u{301}"),
    ]
    .map(|(source, entity_type, id)| Key::new(source, entity_type, id).unwrap());
    let x = Bind { external_id: external_id("x"), mode: BindMode::Add };
    for key in &keys {
        ground.applied(key, &rules::created()).await;
        let separate = Bind { external_id: external_id(&key.to_string()), ..x.clone() };
        ground.applied(key, &separate.change()).await;
    }
    for key in &keys {
        assert_eq!(ground.find(key, &key.to_string()).await.as_ref(), Some(key));
        assert_eq!(ground.record(key).await.version.get(), 2);
    }
    ground.is_sound().await;
}

pub async fn metadata_comes_back_as_it_was(ground: Ground) {
    let deep = (1..64).fold(json!({}), |inner, _| json!({ "in": inner }));
    let values = [
        json!({}),
        json!({ "a": null, "b": false, "c": 0, "d": "", "e": [], "f": {}, "g": [{}], "h": [[]] }),
        json!({ "": 1, "a.b": 2, "$set": 3, "$literal": { "$x": "$y" }, "__proto__": 4, "_id": 5 }),
        json!({ "😀": "👩‍👩‍👧", "é": "e\u{301}", "nl": "a\nb\tc\u{1}", "quote": "\"\\'" }),
        json!({ "i": [i64::MIN, i64::MAX, 9_007_199_254_740_991_i64, 9_007_199_254_740_993_i64] }),
        json!({ "i": [-9_007_199_254_740_991_i64, -9_007_199_254_740_993_i64, 10_i64.pow(15)] }),
        json!({ "f": [5e-324, 1e308, 0.1, 0.30000000000000004, -1.5, 1e19, 123456.789e-200] }),
        json!({ "n": [1.0, -0.0, 1e15, -3.0], "s": ["1", "1.0", "true", "null", "$$NOW"] }),
        json!({ "": "x".repeat(Metadata::MAX_BYTES - r#"{"":""}"#.len()) }),
        deep,
    ];
    for (at, value) in values.into_iter().enumerate() {
        let key = product(&at.to_string());
        let record = ground.applied(&key, &replaced(value.clone())).await;
        assert_eq!(record.metadata, metadata(value.clone()));
        let stored = ground.record(&key).await;
        assert_eq!(stored, record);
        let text = |metadata: &Metadata| serde_json::to_string(metadata).unwrap();
        assert_eq!(text(&stored.metadata), text(&metadata(value)), "to the letter");
    }
}

pub async fn numbers_and_instants_come_back_at_their_limits(ground: Ground) {
    let key = product("1");
    let largest = 1_u64 << 52;
    // In between: a day that the Gregorian calendar left out, and the end of a century.
    let [left_out, century] = [at(-12_219_465_600_000), at(946_684_799_123)];
    let instants = [Timestamp::MIN, left_out, at(-1), at(0), at(1), century, Timestamp::MAX];
    for instant in instants {
        for sequence in [i64::MIN, i64::MIN + 1, -1, 0, 1, (1 << 53) + 1, i64::MAX] {
            let full = full_record(key.clone());
            let record = SyncRecord {
                revision: Revision::new(largest).unwrap(),
                synced_revision: Revision::new(largest - 1).unwrap(),
                token: Token::new(largest).unwrap(),
                version: Version::new(largest).unwrap(),
                attempts: u32::MAX,
                created_at: instant,
                updated_at: Some(instant),
                deleted_at: Some(instant),
                remote_deleted_at: Some(instant),
                sighted_at: Some(instant),
                synced_at: Some(instant),
                pending_since: Some(instant),
                retry_at: Some(instant),
                remote_version: Some(RemoteVersion::Sequence(sequence)),
                remote_seen: Some(RemoteVersion::Timestamp(instant)),
                ..full
            };
            assert_eq!(ground.store.put(&record).await.unwrap(), Imported::Stored);
            assert_eq!(ground.record(&key).await, record);
        }
    }
    let touched = ground.applied(&key, &rules::release(Token::new(largest).unwrap())).await;
    assert_eq!(touched.version.get(), largest + 1);
    assert_eq!(touched.attempts, u32::MAX - 1);
}

pub async fn removing_metadata_is_not_setting_null(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &replaced(json!({ "a": 1, "b": 2 }))).await;
    let merge = MetadataMerge::new(metadata(json!({ "b": null })), ["a"]).unwrap();
    let success = Success::default().merging_metadata(merge);
    let record = ground.applied(&key, &MarkSynced { success }.change()).await;
    assert_eq!(record.metadata, metadata(json!({ "b": null })));
    assert_eq!(ground.record(&key).await, record);
}

pub async fn merging_metadata_is_shallow(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &replaced(json!({ "a": { "x": 1 }, "a.x": 0, "$a": [1] }))).await;
    let set = metadata(json!({ "a": { "y": 2 }, "$a": "$a.x", "a.b.c": {} }));
    let merge = MetadataMerge::new(set, ["x", "a.x", "a.y"]).unwrap();
    let success = Success::default().merging_metadata(merge);
    let record = ground.applied(&key, &MarkSynced { success }.change()).await;
    let expected = json!({ "a": { "y": 2 }, "$a": "$a.x", "a.b.c": {} });
    assert_eq!(record.metadata, metadata(expected));
    assert_eq!(ground.record(&key).await, record);
}

pub async fn two_namespaces_do_not_see_each_other(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &rules::created()).await;
    assert_eq!(ground.by_own_clock.get(&key).await.unwrap(), None);
    assert_eq!(ground.by_own_clock.sources().await.unwrap(), []);
    let outcome = ground.by_own_clock.apply(&key, &rules::created()).await.unwrap();
    assert!(outcome.is_applied());
    assert_eq!(ground.record(&key).await.version.get(), 1);
}

pub async fn the_stores_own_clock_decides(ground: Ground) {
    let (store, key) = (&ground.by_own_clock, product("1"));
    let before = Timestamp::now();
    let created = store.apply(&key, &rules::created()).await.unwrap();
    let born = created.record().unwrap().created_at;
    // Servers of tests run on this machine; a second covers how their clocks are read.
    let second = 1_000;
    assert!((born.as_millis() - before.as_millis()).abs() < 10 * second, "{born} and {before}");
    let request = |ttl| {
        let source = key.source.clone();
        ClaimRequest::new(source, ClaimId::random(), 1, span(ttl), 3).unwrap()
    };
    let leased = store.claim(&request(1)).await.unwrap().leased.remove(0);
    assert_eq!(leased.status(), Status::InProgress);
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    let again = store.claim(&request(60_000)).await.unwrap().leased.remove(0);
    assert!(again.token > leased.token, "a lease of a millisecond ran out");
    assert!(store.claim(&request(60_000)).await.unwrap().is_empty());
}

pub async fn the_longest_waits_are_kept(ground: Ground) {
    let key = product("1");
    ground.applied(&key, &rules::created()).await;
    let end = ground.now().plus(Millis::MAX);
    assert_eq!(end.as_millis() - ground.now().as_millis(), 3_650 * 24 * 60 * 60 * 1_000);
    let claim = ClaimRequest::new(key.source.clone(), ClaimId::random(), 1, Millis::MAX, 9);
    let leased = ground.claim(&claim.unwrap()).await.leased.remove(0);
    assert_eq!(leased.due_at(), Some(end));
    let renewed = ground.applied(&key, &rules::renew(leased.token, Millis::MAX)).await;
    assert_eq!(renewed.due_at(), Some(end));
    let note = FailureNote::throttled("later");
    let failed = rules::fail(leased.token, &note, &schedule(), Some(Millis::MAX));
    assert_eq!(ground.applied(&key, &failed).await.retry_at, Some(end));
    let pause = PauseRequest { span: Some(Millis::MAX), reason: PauseReason::new("") };
    ground.store.pause(&key.source, &pause).await.unwrap();
    let paused = ground.store.paused(&key.source).await.unwrap();
    assert_eq!(paused.map(|pause| pause.until), Some(Some(end)));
    ground.store.resume(&key.source).await.unwrap();
    ground.clock.set(end).unwrap();
    ground.lease(&key).await;
    ground.is_sound().await;
}
