//! What services show to a scraper, as a table.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Label of every series, so it stands in no row.
const EVERYWHERE: &str = "service";
/// Label of a histogram's bounds, which have a table of their own.
const BOUND: &str = "le";

/// Metrics by name.
#[derive(Debug, Default)]
pub(super) struct Table(BTreeMap<String, Metric>);

#[derive(Debug, Default)]
struct Metric {
    kind: String,
    help: String,
    labels: BTreeSet<String>,
    bounds: Vec<String>,
    services: BTreeSet<String>,
}

impl Table {
    /// Adds what a service shows, in the text format 0.0.4.
    ///
    /// # Panics
    /// When it is not in that format, or tells of a metric otherwise than another service.
    pub(super) fn add(&mut self, service: &str, text: &str) {
        let mut current = String::new();
        for line in text.lines() {
            if let Some(told) = line.strip_prefix("# HELP ") {
                let (name, help) = told.split_once(' ').unwrap();
                current = name.to_owned();
                let metric = self.0.entry(current.clone()).or_default();
                same(&mut metric.help, help, name);
                metric.services.insert(service.to_owned());
            } else if let Some(told) = line.strip_prefix("# TYPE ") {
                let (name, kind) = told.split_once(' ').unwrap();
                same(&mut self.0.get_mut(name).unwrap().kind, kind, name);
            } else {
                self.0.get_mut(&current).unwrap().see(line);
            }
        }
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// As Markdown: the metrics, and the bounds of those that are histograms.
    pub(super) fn render(&self) -> String {
        let mut text = "| Metric | Type | Labels | Of | What it says |\n|---|---|---|---|---|\n".to_owned();
        for (name, metric) in &self.0 {
            let labels = listed(metric.labels.iter().map(|label| format!("`{label}`")));
            let services = listed(metric.services.iter().cloned());
            let Metric { kind, help, .. } = metric;
            writeln!(text, "| `{name}` | {kind} | {labels} | {services} | {help} |").unwrap();
        }
        text += "\n| Histogram | Bounds, in seconds |\n|---|---|\n";
        for (name, metric) in self.0.iter().filter(|(_, metric)| !metric.bounds.is_empty()) {
            writeln!(text, "| `{name}` | {} |", listed(metric.bounds.iter().cloned())).unwrap();
        }
        text
    }
}

impl Metric {
    /// Looks at a series.
    fn see(&mut self, line: &str) {
        let (_, rest) = line.split_once('{').unwrap();
        let (labels, _) = rest.rsplit_once('}').unwrap();
        // The values that are seen here hold neither commas nor quotation marks.
        for pair in labels.split(',') {
            let (label, value) = pair.split_once('=').unwrap();
            match label {
                EVERYWHERE => {}
                BOUND => self.bound(value.trim_matches('"')),
                _ => {
                    self.labels.insert(label.to_owned());
                }
            }
        }
    }

    fn bound(&mut self, value: &str) {
        if value != "+Inf" && !self.bounds.iter().any(|known| known == value) {
            self.bounds.push(value.to_owned());
        }
    }
}

/// Takes what is said for the first time, and insists on it.
fn same(known: &mut String, told: &str, name: &str) {
    if known.is_empty() {
        told.clone_into(known);
    }
    assert_eq!(known, told, "{name} means one thing, whoever shows it");
}

fn listed(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}
