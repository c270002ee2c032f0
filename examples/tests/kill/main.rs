//! catalog-sync, killed with SIGKILL again and again, and what the shop has of it in the end.
//!
//! The shop runs in this process and survives. It draws the moment of each kill over its own
//! *effects*: the n-th change from now, either when it is made and not yet answered, or a moment
//! after the answer went out. The ledger is a SQLite file. Before each start some products of the
//! catalogue change, so that creates and updates are cut off.
//!
//! `SYNC_TRACKER_KILLS` is the number of kills, 25 if it is not set; `SYNC_TRACKER_SEED` the seed
//! of what is drawn, 1 if it is not set. With 500 kills it takes some minutes.

#![allow(clippy::expect_used)]

mod catalogue;
mod ledger;
mod reaper;

use std::collections::HashMap;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs, process};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sync_tracker_examples::shop::{Faults, Shop};

use catalogue::Catalogue;
use ledger::Ledger;
use reaper::{Moment, Reaper};

/// How long one start may take, in the worst case.
const PATIENCE: Duration = Duration::from_secs(60);

fn number(variable: &str, default: u64) -> u64 {
    env::var(variable).map_or(default, |text| text.parse().expect(variable))
}

/// What is counted in the end.
#[derive(Debug, Default)]
struct Counts {
    kills: u64,
    before_answer: u64,
    /// Kills after which the ledger had not heard of a change that the shop had made since.
    in_between: u64,
    /// Such changes.
    unknown_but_applied: usize,
    creates: usize,
    updates: usize,
    products: usize,
    duplicates: usize,
    omissions: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_any_two_steps_nothing_is_lost_and_nothing_is_there_twice() {
    let counts = kill_again_and_again(number("SYNC_TRACKER_KILLS", 25), "kills", &[]).await;
    println!("{counts:?}");
    assert_eq!((counts.duplicates, counts.omissions), (0, 0));
    assert_eq!(counts.products, counts.creates);
    assert!(counts.in_between >= counts.kills / 5, "too few kills tell something");
    assert!(counts.unknown_but_applied > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_look_before_a_doubtful_create_kills_make_duplicates() {
    let counts = kill_again_and_again(10, "blind", &["--no-look-before-create"]).await;
    println!("without the look: {counts:?}");
    assert!(counts.duplicates > 0);
    assert_eq!(counts.omissions, 0);
}

async fn kill_again_and_again(kills: u64, name: &str, options: &[&str]) -> Counts {
    let mut counts = Counts { kills, ..Counts::default() };
    let seed = number("SYNC_TRACKER_SEED", 1);
    let mut rng = StdRng::seed_from_u64(seed);
    let folder = env::temp_dir().join(format!("catalog-sync-{}-{name}", process::id()));
    fs::create_dir(&folder).expect("made");
    let (file, database) = (folder.join("catalogue.csv"), folder.join("ledger.db"));

    let reaper = Reaper::default();
    let watch = reaper.clone();
    // No reply is lost but by a kill, so that what is unknown is so because of one.
    let faults = Faults { error: 0.02.try_into().expect("a rate"), ..Faults::NONE };
    let shop = Shop::start_watched(faults, move |moment, seq| watch.told(moment, seq)).await;
    let shop = shop.expect("open");
    let start = || -> Child {
        Command::new(env!("CARGO_BIN_EXE_catalog-sync"))
            .arg(&file)
            .args(["--shop", shop.url(), "--lease", "2000", "--timeout", "1500"])
            .args(["--store", &format!("sqlite:{}", database.display())])
            .args(options)
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("it runs")
    };

    let mut catalogue = Catalogue::default();
    for kill in 0..kills {
        catalogue.grow(12, 4, &mut rng);
        catalogue.write(&file);
        // One of three at least is between the effect and its answer.
        let moment = match kill % 3 {
            0 => Moment::BeforeAnswer,
            _ => Moment::AfterAnswer(Duration::from_micros(rng.random_range(0..3_000))),
        };
        let before = shop.log().last_seq();
        let effect = before + rng.random_range(1..=10);
        let seq = reaper.kill_at(effect, moment, start(), PATIENCE).await;
        counts.before_answer += u64::from(moment == Moment::BeforeAnswer);
        let ledger = Ledger::read(&database, &folder.join("copy.db")).await;
        let mut unknown = ledger.effects_it_does_not_know(&shop.log());
        unknown.retain(|seq| *seq > before);
        assert!(moment != Moment::BeforeAnswer || unknown.contains(&seq), "kill {kill}");
        counts.in_between += u64::from(!unknown.is_empty());
        counts.unknown_but_applied += unknown.len();
    }
    let mut last = start();
    let done = tokio::task::spawn_blocking(move || last.wait()).await.expect("waited");
    assert!(done.expect("waited").success());

    let products = shop.products();
    let log = shop.stop().await;
    let mut on_sale = HashMap::new();
    for stocked in &products {
        on_sale.entry(stocked.handle.as_str()).or_insert_with(Vec::new).push(&stocked.product);
    }
    // A duplicate from before the last edit has the content of then, and nobody will update it.
    let wanted = catalogue.products(&file);
    let omissions = wanted.iter().filter(|(handle, content)| {
        on_sale.get(handle.as_str()).is_none_or(|sold| sold.iter().all(|it| *it != content))
    });
    counts.omissions = omissions.count();
    counts.duplicates = log.duplicates();
    counts.products = products.len();
    (counts.creates, counts.updates) = (log.creates(), log.updates());
    fs::remove_dir_all(folder).expect("removed");
    counts
}
