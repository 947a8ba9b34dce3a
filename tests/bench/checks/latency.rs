//! Percentiles.

use std::time::Duration;

use crate::latency::Latency;

#[test]
fn a_percentile_is_a_value_that_was_seen() {
    let latency = Latency::of((1..=200).rev().map(Duration::from_millis).collect());
    let expected = Latency {
        p50: 100.0,
        p90: 180.0,
        p99: 198.0,
        max: 200.0,
    };
    assert_eq!(latency, expected);
}

#[test]
fn of_few_the_largest_is_the_99th_percentile() {
    let latency = Latency::of([3, 1, 2].map(Duration::from_millis).to_vec());
    assert_eq!((latency.p50, latency.p99, latency.max), (2.0, 3.0, 3.0));
    assert_eq!(Latency::of(Vec::new()), Latency::default());
}
