//! The SQLite store passes the suite of changes in a transaction of the caller.

#![allow(clippy::expect_used)] // what the suite calls is part of tests

mod stores;

use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{Row, SqliteTransaction, query};
use sync_tracker_conformance::{Guarded, Setup, TransactionalFixture};
use sync_tracker_sqlite::SqliteStore;

/// An application with a pool of its own on the file that the store is in.
struct Application {
    store: Arc<SqliteStore>,
    pool: SqlitePool,
    _guard: stores::Scratch,
}

async fn application(setup: Setup) -> Application {
    let Guarded { store, guard } = stores::file(setup).await;
    let options = SqliteConnectOptions::new().filename(guard.path());
    let options = options.busy_timeout(Duration::from_secs(20));
    let pool = SqlitePoolOptions::new().max_connections(8).connect_lazy_with(options);
    query("CREATE TABLE products (id INTEGER)").execute(&pool).await.expect("a table");
    Application { store: Arc::new(store), pool, _guard: guard }
}

impl TransactionalFixture for Application {
    type Store = SqliteStore;

    fn store(&self) -> Arc<SqliteStore> {
        Arc::clone(&self.store)
    }

    async fn begin(&self) -> SqliteTransaction<'static> {
        self.pool.begin().await.expect("it begins")
    }

    async fn commit(&self, transaction: SqliteTransaction<'static>) {
        transaction.commit().await.expect("it is committed");
    }

    async fn roll_back(&self, transaction: SqliteTransaction<'static>) {
        transaction.rollback().await.expect("it is rolled back");
    }

    async fn write_row(&self, transaction: &mut SqliteTransaction<'static>, row: i64) {
        let statement = query("INSERT INTO products VALUES (?)").bind(row);
        statement.execute(&mut **transaction).await.expect("it is written");
    }

    async fn rows(&self) -> Vec<i64> {
        let rows = query("SELECT id FROM products ORDER BY id").fetch_all(&self.pool).await;
        rows.expect("it is read").iter().map(|row| row.get(0)).collect()
    }
}

sync_tracker_conformance::transaction_suite!(application);
