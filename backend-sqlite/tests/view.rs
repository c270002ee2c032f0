//! Tables of the application are joined with the view of what is synced.

use sqlx::{Row, query};
use sync_tracker_core::{EntityRef, FailureNote, Tracker};
use sync_tracker_sqlite::SqliteStore;

#[tokio::test]
async fn an_application_asks_which_of_its_rows_are_not_in_the_shop_yet() {
    let store = SqliteStore::open("sqlite::memory:").await.unwrap();
    let tracker = Tracker::new(store.clone()).with_sources("product", ["shop"]).unwrap();
    let pool = store.reading();
    query("CREATE TABLE products (id INTEGER PRIMARY KEY, title TEXT)")
        .execute(pool)
        .await
        .unwrap();
    for (id, title) in [(1, "Mug"), (2, "Plate"), (3, "Bowl"), (4, "Spoon")] {
        query("INSERT INTO products VALUES (?, ?)")
            .bind(id)
            .bind(title)
            .execute(pool)
            .await
            .unwrap();
    }
    let product = |id: i64| EntityRef::new("product", id).unwrap();
    let _ = tracker.mark_synced(product(1), "shop").external_id("gid-1").await.unwrap();
    let _ = tracker.updated(product(2)).await.unwrap();
    let _ =
        tracker.mark_failed(product(3), "shop", FailureNote::permanent("no price")).await.unwrap();
    tracker.pause("shop").await.unwrap();

    let rows = query(
        "SELECT products.title, state.status, state.external_id, state.failure_message
         FROM products
         LEFT JOIN sync_state AS state ON state.source = 'shop'
             AND state.entity_type = 'product' AND state.entity_id = CAST(products.id AS TEXT)
         ORDER BY products.id",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let rows: Vec<[Option<String>; 4]> =
        rows.iter().map(|row| [0, 1, 2, 3].map(|at| row.get(at))).collect();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        rows,
        [
            [text("Mug"), text("synced"), text("gid-1"), None],
            [text("Plate"), text("pending"), None, None],
            [text("Bowl"), text("dead_letter"), None, text("no price")],
            [text("Spoon"), None, None, None],
        ]
    );
    let synced = query("SELECT synced_at FROM sync_state WHERE status = 'synced'");
    let at: String = synced.fetch_one(pool).await.unwrap().get(0);
    let record = tracker.record(product(1), "shop").await.unwrap().unwrap();
    assert_eq!(at, record.synced_at.unwrap().to_string());
}
