//! What contests came to, as tables and as JSON.

use serde_json::{Value, json};

use crate::contest::{Figures, Sample, Samples};
use crate::harness::median;
use crate::table::{Table, figure};

/// The median of a ratio, and between what it was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// The median over the rounds.
    pub median: f64,
    /// In the worst round.
    pub min: f64,
    /// In the best round.
    pub max: f64,
}

impl Ratio {
    /// Of rates, round by round. Only runs of the same round are compared: the machine is as busy.
    #[must_use]
    pub fn of(samples: &[Sample], base: &[Sample]) -> Option<Self> {
        let ratios = samples.iter().zip(base).map(|(sample, base)| sample.rate / base.rate);
        Self::over(&ratios.collect::<Vec<_>>())
    }

    /// Of processor time for each record, round by round. On a busy machine it is steadier.
    #[must_use]
    pub fn of_cpu(samples: &[Sample], base: &[Sample]) -> Option<Self> {
        let ratios = samples.iter().zip(base).filter_map(|(it, base)| Some(it.cpu? / base.cpu?));
        Self::over(&ratios.collect::<Vec<_>>())
    }

    /// The same of the server.
    #[must_use]
    pub fn of_server_cpu(samples: &[Sample], base: &[Sample]) -> Option<Self> {
        let both = samples.iter().zip(base);
        let ratios = both.filter_map(|(it, base)| Some(it.server_cpu? / base.server_cpu?));
        Self::over(&ratios.collect::<Vec<_>>())
    }

    fn over(ratios: &[f64]) -> Option<Self> {
        Some(Self {
            median: median(ratios)?,
            min: ratios.iter().copied().fold(f64::INFINITY, f64::min),
            max: ratios.iter().copied().fold(0.0, f64::max),
        })
    }

    fn inverse(self) -> Self {
        Self { median: 1.0 / self.median, min: 1.0 / self.max, max: 1.0 / self.min }
    }

    fn cells(ratio: Option<Self>) -> [String; 2] {
        let range = |ratio: Self| format!("{:.2}..{:.2}", ratio.min, ratio.max);
        [ratio.map(|it| format!("{:.2}", it.median)), ratio.map(range)]
            .map(Option::unwrap_or_default)
    }

    fn json(ratio: Option<Self>) -> Value {
        ratio.map_or(Value::Null, |it| json!({ "median": it.median, "min": it.min, "max": it.max }))
    }
}

impl Samples {
    /// Records per second at the median.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        median(&self.samples.iter().map(|sample| sample.rate).collect::<Vec<_>>())
    }

    /// Microseconds of processor time for each record at the median.
    #[must_use]
    pub fn cpu_micros(&self) -> Option<f64> {
        let cpu = self.samples.iter().filter_map(|sample| sample.cpu).map(|cpu| cpu * 1e6);
        median(&cpu.collect::<Vec<_>>())
    }

    /// The same of the server.
    #[must_use]
    pub fn server_cpu_micros(&self) -> Option<f64> {
        let cpu = self.samples.iter().filter_map(|sample| sample.server_cpu).map(|cpu| cpu * 1e6);
        median(&cpu.collect::<Vec<_>>())
    }

    /// Microseconds that one caller waits for one call.
    #[allow(clippy::cast_precision_loss)] // far below 2^53
    fn call_micros(&self, batch: usize, callers: usize) -> Option<f64> {
        self.rate().map(|rate| 1e6 * (batch * callers) as f64 / rate)
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "connections": self.connections,
            "records_per_second": self.rate(),
            "cpu_micros_per_record": self.cpu_micros(),
            "server_cpu_micros_per_record": self.server_cpu_micros(),
        })
    }
}

/// The first entrant beside the others: rates, ratios and processor time of each.
#[must_use]
pub fn comparison(figures: &[Figures]) -> Table {
    let names = figures.first().map(|it| it.entrants.iter().map(|it| it.name.as_str()));
    let names: Vec<&str> = names.into_iter().flatten().collect();
    let all = figures.iter().flat_map(|it| &it.entrants);
    let served = all.into_iter().any(|entrant| entrant.server_cpu_micros().is_some());
    let mut heading = vec!["records per second".to_owned(), "callers".to_owned()];
    for (at, name) in names.iter().enumerate() {
        heading.push((*name).to_owned());
        if at > 0 {
            let of_base = ["connections", "ratio", "range", "CPU ratio", "range"];
            heading.extend(of_base.map(ToOwned::to_owned));
            if served {
                heading.extend(["server CPU ratio", "range"].map(ToOwned::to_owned));
            }
        }
    }
    heading.extend(names.iter().map(|name| format!("µs CPU {name}")));
    if served {
        heading.extend(names.iter().map(|name| format!("µs server CPU {name}")));
    }
    let mut table = Table::new(heading.iter().map(String::as_str));
    for Figures { workload, entrants } in figures {
        let mut row = vec![workload.to_string(), workload.callers.to_string()];
        for (at, entrant) in entrants.iter().enumerate() {
            row.push(figure(entrant.rate()));
            if at > 0 {
                row.push(entrant.connections.to_string());
                let (first, base) = (&entrants[0].samples, &entrant.samples);
                row.extend(Ratio::cells(Ratio::of(first, base)));
                row.extend(Ratio::cells(Ratio::of_cpu(first, base)));
                if served {
                    row.extend(Ratio::cells(Ratio::of_server_cpu(first, base)));
                }
            }
        }
        row.extend(entrants.iter().map(|entrant| figure(entrant.cpu_micros())));
        if served {
            row.extend(entrants.iter().map(|entrant| figure(entrant.server_cpu_micros())));
        }
        table.row(row);
    }
    table
}

/// The same for programs.
#[must_use]
pub fn comparison_json(figures: &[Figures]) -> Value {
    let row = |Figures { workload, entrants }: &Figures| {
        let first = &entrants[0];
        let ratios = entrants[1..].iter().map(|base| {
            let rate = Ratio::of(&first.samples, &base.samples);
            let cpu = Ratio::of_cpu(&first.samples, &base.samples);
            let server_cpu = Ratio::of_server_cpu(&first.samples, &base.samples);
            json!({
                "to": base.name,
                "ratio": Ratio::json(rate),
                "cpu_ratio": Ratio::json(cpu),
                "server_cpu_ratio": Ratio::json(server_cpu),
            })
        });
        json!({
            "operation": format!("{:?}", workload.operation),
            "batch": workload.batch,
            "callers": workload.callers,
            "entrants": entrants.iter().map(Samples::json).collect::<Vec<_>>(),
            "ratios": ratios.collect::<Vec<_>>(),
        })
    };
    figures.iter().map(row).collect()
}

/// Microseconds per call by the number of records. Entrants of the same name are the same thing at
/// one size after another.
#[must_use]
pub fn growth(sizes: &[usize], figures: &[Figures]) -> Table {
    let sizes: Vec<_> = sizes.iter().map(ToString::to_string).collect();
    let heading = ["µs per call", "", "growth", "range", "to the first", "range"];
    let (what, rest) = heading.split_at(2);
    let heading = what.iter().copied().chain(sizes.iter().map(String::as_str));
    let mut table = Table::new(heading.chain(rest.iter().copied()));
    for Grown { workload, name, micros, growth, to_first } in grown(figures) {
        let cells = [Ratio::cells(growth), Ratio::cells(to_first)].concat();
        let micros = micros.into_iter().map(figure);
        table.row([workload, name].into_iter().chain(micros).chain(cells));
    }
    table
}

/// The same for programs.
#[must_use]
pub fn growth_json(sizes: &[usize], figures: &[Figures]) -> Value {
    let row = |grown: Grown| {
        json!({
            "operation": grown.workload,
            "entrant": grown.name,
            "records": sizes,
            "micros_per_call": grown.micros,
            "growth": Ratio::json(grown.growth),
            "rate_of_the_first_to_this_at_the_largest": Ratio::json(grown.to_first),
        })
    };
    grown(figures).map(row).collect()
}

/// Bytes per record of each part, by the number of records.
#[must_use]
pub fn bytes(sizes: &[usize], of_sizes: &[&[(String, f64)]]) -> Table {
    let sizes: Vec<_> = sizes.iter().map(ToString::to_string).collect();
    let heading = ["bytes per record"].into_iter().chain(sizes.iter().map(String::as_str));
    let mut table = Table::new(heading);
    for (part, bytes) in parts(of_sizes) {
        let bytes =
            bytes.into_iter().map(|bytes| bytes.map_or_else(String::new, |it| format!("{it:.1}")));
        table.row([part.to_owned()].into_iter().chain(bytes));
    }
    table
}

/// The same for programs.
#[must_use]
pub fn bytes_json(sizes: &[usize], of_sizes: &[&[(String, f64)]]) -> Value {
    let row = |(part, bytes)| json!({ "part": part, "records": sizes, "bytes": bytes });
    parts(of_sizes).map(row).collect()
}

/// Every part that there is at the largest size, dearest first, with its bytes at each.
fn parts<'a>(
    of_sizes: &'a [&[(String, f64)]],
) -> impl Iterator<Item = (&'a str, Vec<Option<f64>>)> {
    let largest = of_sizes.last().copied().unwrap_or_default();
    largest.iter().map(|(part, _)| {
        let at = |size: &&[(String, f64)]| size.iter().find(|it| it.0 == *part).map(|it| it.1);
        (part.as_str(), of_sizes.iter().map(at).collect())
    })
}

/// How one thing grew.
struct Grown {
    workload: String,
    name: String,
    micros: Vec<Option<f64>>,
    /// How many times longer it takes at the largest size than at the smallest.
    growth: Option<Ratio>,
    /// The rate of the first entrant to that of this one, at the largest size.
    to_first: Option<Ratio>,
}

fn grown(figures: &[Figures]) -> impl Iterator<Item = Grown> {
    figures.iter().flat_map(|Figures { workload, entrants }| {
        let mut by_name: Vec<Vec<&Samples>> = Vec::new();
        for entrant in entrants {
            match by_name.iter_mut().find(|sizes| sizes[0].name == entrant.name) {
                Some(sizes) => sizes.push(entrant),
                None => by_name.push(vec![entrant]),
            }
        }
        let largest = |sizes: &[&Samples]| sizes[sizes.len() - 1].samples.clone();
        let first = by_name.first().map(|sizes| largest(sizes)).unwrap_or_default();
        let row = move |(at, sizes): (usize, Vec<&Samples>)| {
            let micros = sizes.iter().map(|it| it.call_micros(workload.batch, workload.callers));
            let growth = Ratio::of(&largest(&sizes), &sizes[0].samples).map(Ratio::inverse);
            let to_first = (at > 0).then(|| Ratio::of(&first, &largest(&sizes))).flatten();
            let (workload, name) = (workload.to_string(), sizes[0].name.clone());
            Grown { workload, name, micros: micros.collect(), growth, to_first }
        };
        by_name.into_iter().enumerate().map(row).collect::<Vec<_>>()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_the_same_round_are_compared() {
        let of = |rates: [f64; 3]| rates.map(|rate| Sample { rate, cpu: None, server_cpu: None });
        let ratio = Ratio::of(&of([10.0, 200.0, 30.0]), &of([10.0, 100.0, 60.0]));
        assert_eq!(ratio, Some(Ratio { median: 1.0, min: 0.5, max: 2.0 }));
        assert_eq!(ratio.map(Ratio::inverse), ratio);
        assert_eq!(Ratio::of(&[], &[]), None);
        assert_eq!(Ratio::of_cpu(&of([1.0; 3]), &of([1.0; 3])), None);
    }
}
