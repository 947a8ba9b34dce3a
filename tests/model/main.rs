//! The protocol, explored exhaustively on a small scale: every order in which two context-builders, two
//! webhook-callers and egress can take their steps, with crashes, workers that wake up late, stale reads and a
//! broker that forgets its duplicate window. The decisions are the real ones of `domain`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

mod explore;
mod pool;
mod state;
mod steps;

use domain::policy::Overlap;

use explore::explore;
use state::{Kind, Limits, MOST, Model, Rules};

fn model(kinds: &[Kind], overlap: Overlap, limits: Limits) -> Model {
    Model::new(kinds, overlap, limits, Rules::default())
}

const TWO: [Kind; 2] = [Kind::Text, Kind::Text];

/// One of each thing that can go wrong, two at a time.
const PAIRS: [Limits; 3] = [
    Limits {
        crashes: 1,
        wakes: 1,
        restarts: 0,
    },
    Limits {
        crashes: 1,
        wakes: 0,
        restarts: 1,
    },
    Limits {
        crashes: 0,
        wakes: 1,
        restarts: 1,
    },
];

fn holds(kinds: &[Kind], overlap: Overlap) {
    for limits in PAIRS {
        let found = explore(&model(kinds, overlap, limits));
        assert_eq!(found.violation, None, "{limits:?}");
        assert!(
            found.states > 10_000,
            "only {} states: the model does not move",
            found.states
        );
        eprintln!("{kinds:?} {overlap:?} {limits:?}: {} states", found.states);
    }
}

#[test]
fn two_messages_survive_crashes_late_workers_and_a_forgetful_broker() {
    holds(&TWO, Overlap::Queue);
}

#[test]
fn coalesced_messages_survive_crashes_late_workers_and_a_forgetful_broker() {
    holds(&TWO, Overlap::Coalesce);
}

#[test]
fn a_reset_behind_a_message_survives_crashes_late_workers_and_a_forgetful_broker() {
    holds(&[Kind::Text, Kind::Reset], Overlap::Queue);
}

#[test]
fn three_messages_are_answered_in_order() {
    let limits = Limits {
        crashes: 0,
        wakes: 0,
        restarts: 0,
    };
    assert_eq!(
        explore(&model(&[Kind::Text; MOST], Overlap::Queue, limits)).violation,
        None
    );
}

/// The violation that a model with a broken rule has.
fn broken(kinds: &[Kind], overlap: Overlap, limits: Limits, rules: Rules) -> String {
    explore(&Model::new(kinds, overlap, limits, rules))
        .violation
        .expect("the broken rule was not noticed")
        .what
}

#[test]
fn without_the_compare_and_set_a_message_is_committed_twice() {
    let rules = Rules {
        compare_and_set: false,
        ..Rules::default()
    };
    let limits = Limits {
        crashes: 0,
        wakes: 1,
        restarts: 0,
    };
    assert_eq!(
        broken(&TWO, Overlap::Queue, limits, rules),
        "a message was committed twice"
    );
}

#[test]
fn an_event_let_go_of_on_the_duplicate_of_another_turn_makes_a_message_wait_for_ever() {
    let rules = Rules {
        duplicates_vouch_for_all: true,
        ..Rules::default()
    };
    let limits = Limits {
        crashes: 1,
        wakes: 0,
        restarts: 0,
    };
    let kinds = [Kind::Text, Kind::Reset];
    assert_eq!(
        broken(&kinds, Overlap::Queue, limits, rules),
        "a message waits for ever"
    );
}

#[test]
fn without_the_receipt_a_reply_is_sent_again_although_egress_never_failed() {
    let rules = Rules {
        receipts: false,
        ..Rules::default()
    };
    let limits = Limits {
        crashes: 1,
        wakes: 0,
        restarts: 1,
    };
    assert_eq!(
        broken(&TWO, Overlap::Queue, limits, rules),
        "a reply was sent again although egress did not fail"
    );
}
