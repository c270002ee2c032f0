//! A page is of one state of the file.

mod stores;

use sync_tracker_core::{Filter, Key, PageSize, SyncStore, Timestamp, rules};
use sync_tracker_sqlite::SqliteOptions;

use self::stores::Scratch;

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_due_all_the_while_is_listed_whatever_becomes_of_its_status() {
    let scratch = Scratch::new("snapshot");
    let store = SqliteOptions::file(scratch.path()).open().await.unwrap();
    let key = Key::new("shop", "product", 1).unwrap();
    let _ = store.apply(&key, &rules::created()).await.unwrap();
    let pending = store.get(&key).await.unwrap().unwrap();
    let mut failed = pending.clone();
    failed.retry_at = Some(Timestamp::from_millis(0).unwrap());

    let writing = tokio::spawn({
        let (store, pending) = (store.clone(), pending.clone());
        async move {
            loop {
                for record in [&failed, &pending] {
                    let _ = store.put(record).await.unwrap();
                }
            }
        }
    });
    let due = Filter { due: Some(true), ..Filter::default() };
    for _ in 0..1_000 {
        let page = store.list(&due, None, PageSize::default()).await.unwrap();
        let keys: Vec<_> = page.records.iter().map(|record| &record.key).collect();
        assert_eq!(keys, [&key]);
    }
    writing.abort();
}
