//! What the suite covers: each rule in each state that matters, each value where stores differ, and
//! which behaviours hold it.
//!
//! A behaviour that is named here and does not exist does not compile, and neither does a row that
//! leaves a cell out. To read the tables:
//!
//! ```console
//! $ cargo test --package sync-tracker-conformance --test matrix -- --nocapture
//! ```

mod rules;
mod table;
mod values;

use std::collections::BTreeSet;

use sync_tracker_conformance::BEHAVIOURS;

use self::table::{Cell, STATES};

/// The name of each behaviour as a constant.
#[allow(non_upper_case_globals, dead_code)] // what is named nowhere is told by a test
mod behaviour {
    sync_tracker_conformance::with_behaviours!(constants);
}

fn cells() -> impl Iterator<Item = &'static Cell> {
    let of_rules = rules::RULES.iter().flat_map(|row| &row.cells);
    of_rules.chain(values::VALUES.iter().map(|row| &row.held))
}

#[test]
fn every_behaviour_has_its_place_in_the_matrix() {
    let named: BTreeSet<_> = cells().flat_map(Cell::behaviours).collect();
    let nowhere: Vec<_> = BEHAVIOURS.iter().filter(|name| !named.contains(*name)).collect();
    assert!(nowhere.is_empty(), "behaviours that are named nowhere: {nowhere:#?}");
}

#[test]
fn every_row_is_there_once_and_every_reason_says_something() {
    let rules: Vec<_> = rules::RULES.iter().map(|row| row.rule).collect();
    let values: Vec<_> = values::VALUES.iter().map(|row| (row.matter, row.value)).collect();
    assert_eq!(BTreeSet::from_iter(&rules).len(), rules.len());
    assert_eq!(BTreeSet::from_iter(&values).len(), values.len());
    for cell in cells() {
        let twice = cell.behaviours().len() > BTreeSet::from_iter(cell.behaviours()).len();
        assert!(!twice, "a behaviour is named twice in one cell: {cell:?}");
        if let Cell::Not(reason) = cell {
            assert!(reason.contains(' '), "{reason:?} is no reason");
        }
    }
}

#[test]
fn the_matrix_as_a_table() {
    println!("{}", table::table_of_rules(rules::RULES));
    println!("{}", table::table_of_values(values::VALUES));
    let held = |cells: &[Cell]| cells.iter().filter(|cell| !cell.behaviours().is_empty()).count();
    let rules: usize = rules::RULES.iter().map(|row| held(&row.cells)).sum();
    let values = values::VALUES.iter().filter(|row| !row.held.behaviours().is_empty()).count();
    println!(
        "{} rules in {} states: {rules} cells held by behaviours, {} with a reason",
        rules::RULES.len(),
        STATES.len(),
        rules::RULES.len() * STATES.len() - rules,
    );
    println!(
        "{} values: {values} held by behaviours, {} elsewhere",
        values::VALUES.len(),
        values::VALUES.len() - values
    );
}
