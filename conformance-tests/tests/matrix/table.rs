//! What the tables are made of, and how they are printed.

use std::fmt::Write;

/// The states that a rule may find its record in, or be carried out in.
pub(crate) const STATES: [(&str, &str); 7] = [
    ("absent", "there is no record"),
    ("present", "there is one, and nobody is at it"),
    ("leased", "a worker holds its lease"),
    ("stale", "what the caller read has passed: lease, token, revision, version, incarnation"),
    ("tombstoned", "the entity was deleted"),
    ("concurrent", "others do the same, or something else, at the same time"),
    ("replayed", "it is repeated after its reply was lost"),
];

/// What holds a case.
#[derive(Debug)]
pub(crate) enum Cell {
    /// These behaviours.
    Held(&'static [&'static str]),
    /// None can, or none has to.
    Not(&'static str),
}

impl Cell {
    pub(crate) fn behaviours(&self) -> &'static [&'static str] {
        match self {
            Self::Held(behaviours) => behaviours,
            Self::Not(_) => &[],
        }
    }

    fn lines(&self) -> Vec<String> {
        match self {
            Self::Held(behaviours) => behaviours.iter().map(|name| (*name).to_owned()).collect(),
            Self::Not(reason) => vec![format!("({reason})")],
        }
    }
}

/// One rule in each of [`STATES`].
pub(crate) struct Rule {
    pub(crate) rule: &'static str,
    pub(crate) cells: [Cell; STATES.len()],
}

/// One value, or a group of them, at which stores would differ.
pub(crate) struct Value {
    pub(crate) matter: &'static str,
    pub(crate) value: &'static str,
    pub(crate) held: Cell,
}

/// A cell: behaviours in brackets, or a reason.
macro_rules! cell {
    ([$($behaviour:ident)+]) => {
        $crate::table::Cell::Held(&[$($crate::behaviour::$behaviour),+])
    };
    ($reason:literal) => {
        $crate::table::Cell::Not($reason)
    };
}
pub(crate) use cell;

/// Rows of rules: a name, then the states by name, each with a cell.
macro_rules! rules {
    ($($rule:literal {
        absent $absent:tt
        present $present:tt
        leased $leased:tt
        stale $stale:tt
        tombstoned $tombstoned:tt
        concurrent $concurrent:tt
        replayed $replayed:tt
    })*) => {
        &[$($crate::table::Rule {
            rule: $rule,
            cells: [
                $crate::table::cell!($absent),
                $crate::table::cell!($present),
                $crate::table::cell!($leased),
                $crate::table::cell!($stale),
                $crate::table::cell!($tombstoned),
                $crate::table::cell!($concurrent),
                $crate::table::cell!($replayed),
            ],
        }),*]
    };
}
pub(crate) use rules;

/// Rows of values: a matter, then its values, each with a cell.
macro_rules! values {
    ($($matter:literal { $($value:literal $held:tt)+ })*) => {
        &[$($($crate::table::Value {
            matter: $matter,
            value: $value,
            held: $crate::table::cell!($held),
        }),+),*]
    };
}
pub(crate) use values;

/// The table of rules, a block of lines for each.
pub(crate) fn table_of_rules(rows: &[Rule]) -> String {
    let mut text = String::new();
    for (state, meaning) in STATES {
        let _ = writeln!(text, "{state:<11} {meaning}");
    }
    for Rule { rule, cells } in rows {
        let _ = writeln!(text, "\n{rule}");
        for ((state, _), cell) in STATES.iter().zip(cells) {
            for (at, line) in cell.lines().iter().enumerate() {
                let state = if at == 0 { state } else { "" };
                let _ = writeln!(text, "    {state:<11} {line}");
            }
        }
    }
    text
}

/// The table of values, a block of lines for each matter.
pub(crate) fn table_of_values(rows: &[Value]) -> String {
    let (mut text, mut last) = (String::new(), "");
    for Value { matter, value, held } in rows {
        if *matter != last {
            let _ = writeln!(text, "\n{matter}");
            last = matter;
        }
        let _ = writeln!(text, "    {value}");
        for line in held.lines() {
            let _ = writeln!(text, "        {line}");
        }
    }
    text
}
