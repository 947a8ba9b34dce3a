use proto_schemas::ids::UnixMillis;
use serde_json::{Value, json};

use super::*;

fn id(name: &str) -> IntegrationId {
    IntegrationId::new(name).unwrap()
}

fn arm(name: &str, weight: u32) -> Arm {
    Arm {
        integration: id(name),
        weight,
    }
}

fn reply() -> Value {
    json!({"kind": "reply", "content": "Hello!"})
}

fn failure() -> Value {
    json!({"kind": "failure", "class": "timeout", "message": "Sorry."})
}

/// A turn that counts for `arm` and that `asked_last` answered in so many milliseconds.
fn turn(arm: Option<&str>, asked_last: &str, result: Value, millis: u64) -> Transcript {
    let transcript = json!({
        "conversation": "conv_a", "bot": "b", "connection": "web", "channel": "http", "user": {"id": "u"},
        "answers": [], "answered_through": 1, "question": [],
        "conclusion": {"turn": "turn_a", "result": result, "integration": asked_last, "arm": arm,
                       "attempts": 1, "webhook_millis": millis, "committed_at": 0},
        "receipt": {"receipt": "nothing"}, "accepted_at": 0, "built_at": 0, "concluded_at": 0,
    });
    serde_json::from_value(transcript).unwrap()
}

fn report(turns: &[Transcript], now: &[Arm]) -> Report {
    let mut tally = Tally::default();
    turns.iter().for_each(|turn| tally.count(turn));
    tally.report(now)
}

#[test]
fn a_turn_counts_for_its_arm_whoever_answered() {
    let turns = [
        turn(Some("claude"), "claude", reply(), 10),
        turn(Some("claude"), "spare", reply(), 5000),
        turn(Some("claude"), "spare", failure(), 6000),
        turn(Some("gpt"), "gpt", json!({"kind": "no_reply"}), 20),
    ];
    let report = report(&turns, &[arm("claude", 3), arm("gpt", 1)]);
    let [claude, gpt] = report.arms.as_slice() else {
        panic!("{report:?}")
    };
    assert_eq!(
        (claude.turns, claude.share, claude.weight),
        (3, Some(0.75), Some(3))
    );
    assert_eq!(
        (
            claude.answered,
            claude.no_reply,
            claude.failed,
            claude.by_fallback
        ),
        (2, 0, 1, Some(1))
    );
    assert_eq!(
        (gpt.answered, gpt.no_reply, gpt.failed, gpt.by_fallback),
        (0, 1, 0, Some(0))
    );
    let latencies = [claude, gpt].map(|line| line.webhook_millis.as_ref().unwrap().p99);
    assert_eq!(latencies, [10, 20], "what others answered says nothing of an arm");
    assert_eq!((report.outside.len(), report.turns()), (0, 4));
}

#[test]
fn arms_of_now_come_first_and_those_of_before_after_them() {
    let turns = [
        turn(Some("before"), "before", reply(), 1),
        turn(None, "echo", reply(), 1),
    ];
    let report = report(&turns, &[arm("z", 1), arm("y", 0)]);
    let arms: Vec<_> = report
        .arms
        .iter()
        .map(|line| (line.integration.as_str(), line.weight, line.turns))
        .collect();
    assert_eq!(arms, [("z", Some(1), 0), ("y", Some(0), 0), ("before", None, 1)]);
    assert_eq!(report.arms[0].mean_attempts, None);
    assert_eq!(report.outside[0].integration, id("echo"));
    assert_eq!(report.outside[0].by_fallback, None);
}

#[test]
fn resets_and_replies_that_are_sent_again_are_not_counted() {
    let mut reset = turn(None, "echo", json!({"kind": "reset", "message": ""}), 0);
    reset.conclusion.integration = None;
    let mut again = turn(Some("claude"), "claude", reply(), 1);
    (again.replay, again.concluded_at) = (1, UnixMillis(5));
    let report = report(&[reset, again], &[]);
    assert_eq!((report.arms, report.outside), (vec![], vec![]));
}

#[test]
fn attempts_are_those_of_the_mean_turn() {
    let mut third_time = turn(Some("claude"), "claude", reply(), 1);
    third_time.conclusion.attempts = 3;
    let first_time = turn(Some("claude"), "claude", reply(), 1);
    let report = report(&[third_time, first_time], &[]);
    assert_eq!(report.arms[0].mean_attempts, Some(2.0));
}

#[test]
fn percentiles_are_values_that_occurred() {
    let of = |values: std::ops::RangeInclusive<u64>| Percentiles::of(values.rev().collect());
    assert_eq!(
        of(1..=100),
        Some(Percentiles {
            p50: 50,
            p95: 95,
            p99: 99
        })
    );
    assert_eq!(
        of(1..=2),
        Some(Percentiles {
            p50: 1,
            p95: 2,
            p99: 2
        })
    );
    assert_eq!(
        of(7..=7),
        Some(Percentiles {
            p50: 7,
            p95: 7,
            p99: 7
        })
    );
    assert_eq!(Percentiles::of(vec![]), None);
}
