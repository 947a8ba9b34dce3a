//! The protocol, explored exhaustively on a small scale: every order in which two context-builders, two
//! webhook-callers and two egress workers can take their steps for the first messages of one conversation.
//!
//! What decides is real: `decide`, `next_context`, `delivery`, `looked_after` and `vouches_for` of `domain`. What
//! the services do around them is written again here, one step for each effect that a crash can separate:
//! `builder`, `caller` and `sender`.
//!
//! What goes wrong, each as often as [`Limits`] say:
//! - a worker of any kind dies with what it holds, between any two steps;
//! - a worker of any kind sleeps until its work has come again, and then goes on;
//! - the broker forgets identities: at a restart those of what left its work queues, after the duplicate window all;
//! - a read of the context lags by some revisions, for builders and callers alike; a read of the inbox by one entry.
//!
//! What is asserted of every state: a message is committed at most once; what is committed was built on all earlier
//! replies; the chat receives the replies in the order of their commits, each again only before the next one, and
//! only if an egress worker died or slept; and from here, with no fault, no lagging read and no further message,
//! everything that has arrived can still get its outcome, its reply and its end. A reply that an egress worker sends
//! after it slept between its look at the transcript and its send is let pass: no rule can call it back.
//!
//! What is not in it: files, attempts and dead letters, replies in several parts, an operator's replay, work of more
//! than one conversation, the removal of a context, and lagging reads of the transcript and of the slot.
#![cfg(test)]

mod builder;
mod caller;
mod explore;
mod list;
mod model;
mod pool;
mod properties;
mod sender;
mod state;
mod steps;

use domain::policy::Overlap;

use explore::explore;
use model::{Kind, Limits, Model, NO_FAULTS, Rules};

const TWO: [Kind; 2] = [Kind::Text, Kind::Text];
const RESET_BEHIND_TEXT: [Kind; 2] = [Kind::Text, Kind::Reset];
const THREE: [Kind; 3] = [Kind::Text; 3];
const RESET_BEHIND_TEXTS: [Kind; 3] = [Kind::Text, Kind::Text, Kind::Reset];
const RESET_BETWEEN_TEXTS: [Kind; 3] = [Kind::Text, Kind::Reset, Kind::Text];

/// Of what can go wrong, two at a time, while reads lag.
const PAIRS: [Limits; 4] = [
    Limits {
        crashes: 1,
        wakes: 1,
        lapses: 0,
        lag: 2,
    },
    Limits {
        crashes: 1,
        wakes: 0,
        lapses: 1,
        lag: 2,
    },
    Limits {
        crashes: 0,
        wakes: 1,
        lapses: 1,
        lag: 2,
    },
    Limits {
        crashes: 0,
        wakes: 2,
        lapses: 0,
        lag: 2,
    },
];

/// All at once.
const ALL: [Limits; 1] = [Limits {
    crashes: 1,
    wakes: 1,
    lapses: 1,
    lag: 2,
}];

const ONE_CRASH: Limits = Limits {
    crashes: 1,
    ..NO_FAULTS
};
const ONE_WAKE: Limits = Limits {
    wakes: 1,
    ..NO_FAULTS
};
const ONE_LAPSE: Limits = Limits {
    lapses: 1,
    ..NO_FAULTS
};

/// Of what can go wrong, one at a time, while reads lag.
const SINGLES: [Limits; 3] = [
    Limits { lag: 1, ..ONE_CRASH },
    Limits { lag: 1, ..ONE_WAKE },
    Limits { lag: 1, ..ONE_LAPSE },
];

fn holds(kinds: &[Kind], overlap: Overlap, circumstances: &[Limits]) {
    for &limits in circumstances {
        let found = explore(&Model::new(kinds, overlap, limits, Rules::default()));
        assert_eq!(found.violation, None, "{limits:?}");
        assert!(
            found.states > 100_000,
            "only {} states: the model does not move",
            found.states
        );
        eprintln!("{kinds:?} {overlap:?} {limits:?}: {} states", found.states);
    }
}

#[test]
fn two_messages_survive_crashes_late_workers_and_a_forgetful_broker() {
    holds(&TWO, Overlap::Queue, &PAIRS);
    holds(&TWO, Overlap::Queue, &ALL);
}

#[test]
fn coalesced_messages_survive_crashes_late_workers_and_a_forgetful_broker() {
    holds(&TWO, Overlap::Coalesce, &PAIRS);
    holds(&TWO, Overlap::Coalesce, &ALL);
}

#[test]
fn a_reset_behind_a_message_survives_crashes_late_workers_and_a_forgetful_broker() {
    holds(&RESET_BEHIND_TEXT, Overlap::Queue, &PAIRS);
}

#[test]
fn three_messages_are_answered_in_order() {
    holds(&THREE, Overlap::Queue, &SINGLES);
    holds(&THREE, Overlap::Coalesce, &SINGLES);
}

#[test]
fn a_reset_between_two_messages_takes_its_place_in_the_order() {
    holds(&RESET_BETWEEN_TEXTS, Overlap::Queue, &SINGLES);
}

/// What was known of the inbox must not be forgotten by the turns in between.
#[test]
fn a_reset_behind_two_messages_is_not_forgotten_with_its_turn() {
    holds(&RESET_BEHIND_TEXTS, Overlap::Queue, &[ONE_LAPSE]);
}

/// A transcript that is written late must not be taken for the last one.
#[test]
fn a_late_transcript_brings_no_earlier_reply_back() {
    let limits = Limits {
        wakes: 1,
        lapses: 1,
        lag: 1,
        ..NO_FAULTS
    };
    holds(&THREE, Overlap::Queue, &[limits]);
}

/// The violation that a model with a broken rule has. With the rule it has none: the fault is noticed, not the
/// circumstances.
fn broken(kinds: &[Kind], limits: Limits, rules: Rules) -> &'static str {
    let explore = |rules| explore(&Model::new(kinds, Overlap::Queue, limits, rules)).violation;
    assert_eq!(explore(Rules::default()), None);
    explore(rules).expect("the broken rule was not noticed").what
}

#[test]
fn without_the_compare_and_set_a_message_is_committed_twice() {
    let rules = Rules {
        compare_and_set: false,
        ..Rules::default()
    };
    assert_eq!(broken(&TWO, ONE_WAKE, rules), "a message was committed twice");
}

#[test]
fn an_event_let_go_of_on_the_duplicate_of_another_turn_makes_a_message_wait_for_ever() {
    let rules = Rules {
        duplicates_vouch_for_one: false,
        ..Rules::default()
    };
    assert_eq!(
        broken(&RESET_BEHIND_TEXT, ONE_CRASH, rules),
        "a message waits for ever"
    );
}

#[test]
fn without_the_check_that_a_reading_includes_its_trigger_a_message_waits_for_ever() {
    let rules = Rules {
        readings_include_entries: false,
        ..Rules::default()
    };
    assert_eq!(
        broken(&RESET_BEHIND_TEXT, ONE_LAPSE, rules),
        "a message waits for ever"
    );
}

#[test]
fn without_the_check_that_a_reading_includes_its_revision_a_message_waits_for_ever() {
    let rules = Rules {
        readings_include_revision: false,
        ..Rules::default()
    };
    let limits = Limits { lag: 2, ..ONE_LAPSE };
    assert_eq!(
        broken(&RESET_BEHIND_TEXT, limits, rules),
        "a message waits for ever"
    );
}

#[test]
fn a_turn_let_go_of_because_a_lagging_server_knows_no_context_loses_its_reply() {
    let rules = Rules {
        absence_is_doubted: false,
        ..Rules::default()
    };
    let limits = Limits { lag: 1, ..ONE_CRASH };
    assert_eq!(broken(&TWO, limits, rules), "a reply overtook an earlier one");
}

#[test]
fn a_turn_that_does_not_wait_for_the_slot_of_its_delivery_loses_its_reply() {
    let rules = Rules {
        turns_wait_for_deliveries: false,
        ..Rules::default()
    };
    assert_eq!(broken(&TWO, NO_FAULTS, rules), "a message waits for ever");
}

#[test]
fn without_the_receipt_a_reply_is_sent_again_although_egress_never_failed() {
    let rules = Rules {
        receipts: false,
        ..Rules::default()
    };
    let limits = Limits {
        crashes: 1,
        ..ONE_LAPSE
    };
    assert_eq!(
        broken(&TWO, limits, rules),
        "a reply was sent again although egress did not fail"
    );
}
