//! What the ledger holds after a kill.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use sync_tracker::{Filter, PageSize, RemoteVersion, SyncRecord, SyncStore};
use sync_tracker_examples::shop::{Kind, ShopLog};

/// The records, by the handle of the product.
pub(crate) struct Ledger(HashMap<String, SyncRecord>);

impl Ledger {
    /// Reads a database that nobody has open, which must be sound. It reads a copy, so that the
    /// next process finds everything as the last one left it.
    pub(crate) async fn read(database: &Path, copy: &Path) -> Self {
        for end in ["", "-wal", "-shm"] {
            let [from, to] = [database, copy].map(|path| format!("{}{end}", path.display()));
            let _ = fs::remove_file(&to);
            if end != "-shm" && fs::exists(&from).expect("known") {
                fs::copy(from, to).expect("copied");
            }
        }
        let store = sync_tracker::open(&format!("sqlite:{}", copy.display())).await;
        let store = store.expect("opens after a kill");
        assert_eq!(store.verify().await.expect("verified"), []);
        let mut records = HashMap::new();
        let mut after = None;
        loop {
            let page = store.list(&Filter::default(), after.as_ref(), PageSize::MAX).await;
            let page = page.expect("a page");
            let handled = |it: SyncRecord| (it.key.entity.entity_id.as_str().to_owned(), it);
            records.extend(page.records.into_iter().map(handled));
            after = page.next;
            if after.is_none() {
                return Self(records);
            }
        }
    }

    /// The numbers of the changes that the shop has made and of which the ledger has not heard.
    pub(crate) fn effects_it_does_not_know(&self, log: &ShopLog) -> Vec<u64> {
        let mut versions: HashMap<&str, i64> = HashMap::new();
        let mut unknown = Vec::new();
        for effect in log.entries() {
            let version = versions.entry(&effect.id).or_default();
            *version += 1;
            let record = self.0.get(&effect.handle);
            let is_known = match effect.kind {
                // Found later by a look, it is known from then on.
                Kind::Create => record.is_some_and(|it| it.external_id.is_some()),
                Kind::Update | Kind::Delete => record.is_some_and(|it| {
                    it.remote_version.as_ref().is_some_and(
                        |known| matches!(known, RemoteVersion::Sequence(at) if at >= version),
                    )
                }),
            };
            if !is_known {
                unknown.push(effect.seq);
            }
        }
        unknown
    }
}
