//! Which replies are counted, and which are faults.

use std::ops::Range;
use std::time::{Duration, Instant};

use crate::ledger::Ledger;
use crate::token::Token;

const ALL: Range<usize> = 0..usize::MAX;

fn ledger() -> Ledger {
    let ledger = Ledger::new(2, Duration::from_secs(100));
    ledger.open_window(ALL);
    ledger
}

#[tokio::test]
async fn a_reply_frees_its_conversation_and_is_counted_without_the_backends_time() {
    let ledger = ledger();
    let token = ledger.ask(1, Instant::now() - Duration::from_secs(103));
    assert!(!ledger.is_free(1));
    ledger.reply(Some(token));
    assert_eq!(ledger.freed().await, 1);
    assert_eq!(
        (ledger.is_free(1), ledger.faults().0, ledger.surplus()),
        (true, 0, 0)
    );
    assert_eq!(ledger.fewest_replies(&[1]), 1);
    let latencies = ledger.close_window();
    assert_eq!((latencies.len(), latencies[0].as_secs()), (1, 3));
}

#[tokio::test]
async fn a_message_without_a_reply_is_missing() {
    let ledger = ledger();
    ledger.ask(0, Instant::now());
    assert_eq!(ledger.settle(Duration::from_millis(1)).await, 1);
    assert_eq!((ledger.waiting(0..1), ledger.waiting(1..2)), (1, 0));
}

#[tokio::test]
async fn nobody_waits_for_a_reply_to_what_was_refused() {
    let ledger = ledger();
    let refused = ledger.ask(0, Instant::now());
    let accepted = ledger.ask(0, Instant::now());
    ledger.withdraw(refused);
    ledger.reply(Some(accepted));
    assert_eq!(ledger.settle(Duration::from_secs(10)).await, 0);
    ledger.reply(Some(refused));
    assert_eq!((ledger.surplus(), ledger.faults().0), (1, 0));
}

#[test]
fn a_reply_that_comes_again_is_counted_once() {
    let ledger = ledger();
    let token = ledger.ask(0, Instant::now());
    ledger.reply(Some(token));
    ledger.reply(Some(token));
    assert_eq!((ledger.surplus(), ledger.close_window().len()), (1, 1));
}

#[test]
fn a_reply_to_nothing_that_was_asked_is_a_fault() {
    let ledger = ledger();
    ledger.reply(None);
    for conversation in [0, 2] {
        let number = 1;
        ledger.reply(Some(Token { conversation, number }));
    }
    assert_eq!(ledger.faults().0, 3);
}

#[test]
fn a_window_is_of_the_conversations_that_are_looked_at() {
    let ledger = ledger();
    ledger.open_window(1..2);
    for conversation in [0, 1] {
        let token = ledger.ask(conversation, Instant::now());
        ledger.reply(Some(token));
    }
    assert_eq!(ledger.close_window().len(), 1);
}
