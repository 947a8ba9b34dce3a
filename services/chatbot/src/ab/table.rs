//! The lines of a report in columns.

use operations::ab::{Line, Percentiles};

const COLUMNS: [&str; 11] = [
    "weight",
    "turns",
    "share",
    "answered",
    "no reply",
    "failed",
    "by fallback",
    "attempts",
    "p50 ms",
    "p95 ms",
    "p99 ms",
];

/// A table with `name` above the first column. What is not known is a dash.
pub(crate) fn of(name: &str, lines: &[Line]) -> String {
    let head = [&[name], COLUMNS.as_slice()].concat();
    let mut rows = vec![head.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    rows.extend(lines.iter().map(cells));
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    rows.iter().map(|row| aligned(row, &widths)).collect()
}

/// The first cell to the left, the others to the right.
fn aligned(row: &[String], widths: &[usize]) -> String {
    let cells = row.iter().zip(widths).enumerate();
    let padded = cells.map(|(column, (cell, &width))| match column {
        0 => format!("{cell:<width$}"),
        _ => format!("  {cell:>width$}"),
    });
    padded.chain(["\n".to_owned()]).collect()
}

fn cells(line: &Line) -> Vec<String> {
    let millis = |of: fn(&Percentiles) -> u64| known(line.webhook_millis.as_ref().map(of));
    vec![
        line.integration.to_string(),
        known(line.weight),
        line.turns.to_string(),
        known(line.share.map(|share| format!("{:.1}%", 100.0 * share))),
        line.answered.to_string(),
        line.no_reply.to_string(),
        line.failed.to_string(),
        known(line.by_fallback),
        known(line.mean_attempts.map(|mean| format!("{mean:.2}"))),
        millis(|of| of.p50),
        millis(|of| of.p95),
        millis(|of| of.p99),
    ]
}

fn known(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use proto_schemas::ids::IntegrationId;

    use super::*;

    #[test]
    fn columns_stand_below_each_other_and_what_is_unknown_is_a_dash() {
        let quiet = Line {
            integration: IntegrationId::new("gpt").unwrap(),
            weight: Some(1),
            turns: 0,
            share: None,
            answered: 0,
            no_reply: 0,
            failed: 0,
            by_fallback: Some(0),
            mean_attempts: None,
            webhook_millis: None,
        };
        let busy = Line {
            integration: IntegrationId::new("claude").unwrap(),
            weight: None,
            turns: 1200,
            share: Some(1.0),
            answered: 1190,
            no_reply: 0,
            failed: 10,
            by_fallback: Some(7),
            mean_attempts: Some(1.25),
            webhook_millis: Some(Percentiles {
                p50: 812,
                p95: 1630,
                p99: 12_010,
            }),
        };
        let expected = "\
arm     weight  turns   share  answered  no reply  failed  by fallback  attempts  p50 ms  p95 ms  p99 ms
claude       -   1200  100.0%      1190         0      10            7      1.25     812    1630   12010
gpt          1      0       -         0         0       0            0         -       -       -       -
";
        assert_eq!(of("arm", &[busy, quiet]), expected);
    }
}
