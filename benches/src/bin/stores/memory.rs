//! The memory store, alone: the program `memory` compares it with a plain map.

use std::sync::Arc;

use sync_tracker_benches::Failure;
use sync_tracker_benches::contest::Entrant;
use sync_tracker_benches::ours::{Ours, fill};
use sync_tracker_benches::population::Population;
use sync_tracker_benches::workload::Numbers;
use sync_tracker_memory::MemoryStore;

use crate::field::Field;

pub(crate) async fn field(population: Population) -> Result<Field, Failure> {
    let store = MemoryStore::new();
    fill(&store, &population).await?;
    let numbers = Numbers::new(population.clone());
    let store = Ours::new(Arc::new(store), population);
    let ours = Entrant::new("ours", vec![(0, Arc::new(store))], numbers);
    Ok(Field { entrants: vec![ours], bytes: Vec::new(), _place: None })
}
