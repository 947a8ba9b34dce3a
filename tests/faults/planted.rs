//! Faults that are planted: what stands between the services and the outside breaks one promise, and the
//! checker must say which.

use bytes::Bytes;
use serde_json::Value;
use testkit::middleman::Passing;

use crate::checker::Rule;
use crate::report::judge;
use crate::users::Workload;
use crate::world::{Run, Setup, World};

/// The chat that is tampered with.
const VICTIM: &str = "web1c0";

async fn run(setup: Setup) -> Run {
    World::start(setup).await.run(&[], &Workload::hamlet()).await
}

/// Asserts that the victim's conversation, and no other, broke this rule.
fn assert_found(run: &Run, rule: Rule) {
    let verdict = judge(run);
    let found: Vec<(&str, Rule)> = verdict
        .violations
        .iter()
        .map(|(history, violation)| (history.chat.as_str(), violation.rule))
        .collect();
    assert_eq!(found, [(VICTIM, rule)], "{:?}", verdict.violations);
    assert!(verdict.strangers.is_empty(), "{:?}", verdict.strangers);
}

/// Whether a callback is the reply to the victim's message of this number.
fn is_reply_to(passing: &Passing, number: usize) -> bool {
    let body: Value = serde_json::from_slice(&passing.body).unwrap();
    body["in_reply_to"] == format!("{VICTIM}-{number}")
}

#[tokio::test]
async fn without_a_fault_no_promise_is_broken() {
    let run = run(Setup::calm()).await;
    let verdict = judge(&run);
    assert!(
        verdict.is_good(),
        "{:?} {:?}",
        verdict.violations,
        verdict.strangers
    );
    assert_eq!(run.histories.len(), 5);
}

#[tokio::test]
async fn a_reply_that_is_swallowed_is_found() {
    let swallow = |passing: Passing| match is_reply_to(&passing, 6) {
        true => Vec::new(),
        false => vec![passing],
    };
    let setup = Setup::calm().before_callback(swallow);
    assert_found(&run(setup).await, Rule::Lost);
}

#[tokio::test]
async fn a_reply_that_overtakes_another_is_found() {
    let mut kept = None;
    let swap = move |passing: Passing| {
        if is_reply_to(&passing, 2) {
            kept = Some(passing);
            return Vec::new();
        }
        match is_reply_to(&passing, 3) {
            true => std::iter::once(passing).chain(kept.take()).collect(),
            false => vec![passing],
        }
    };
    let setup = Setup::calm().before_callback(swap);
    assert_found(&run(setup).await, Rule::Order);
}

#[tokio::test]
async fn a_reply_that_comes_back_later_is_found() {
    let mut copy = None;
    let repeat = move |passing: Passing| {
        if is_reply_to(&passing, 2) {
            copy = Some(passing.clone());
        }
        match is_reply_to(&passing, 5) {
            true => std::iter::once(passing).chain(copy.take()).collect(),
            false => vec![passing],
        }
    };
    let setup = Setup::calm().before_callback(repeat);
    assert_found(&run(setup).await, Rule::LateRepetition);
}

#[tokio::test]
async fn a_reply_that_is_sent_twice_for_no_reason_is_found() {
    let repeat = |passing: Passing| match is_reply_to(&passing, 4) {
        true => vec![passing.clone(), passing],
        false => vec![passing],
    };
    let setup = Setup::calm().before_callback(repeat);
    assert_found(&run(setup).await, Rule::Repetition);
}

#[tokio::test]
async fn a_call_that_is_not_told_an_earlier_reply_is_found() {
    let forget = |mut passing: Passing| {
        let mut body: Value = serde_json::from_slice(&passing.body).unwrap();
        let is_victim = body["metadata"]["chat_id"] == VICTIM;
        let messages = body["messages"].as_array_mut().unwrap();
        if is_victim && messages.len() == 7 {
            // The second reply: two questions and a reply stand before it.
            messages.remove(3);
            passing.body = Bytes::from(body.to_string());
        }
        vec![passing]
    };
    let setup = Setup::calm().before_webhook(forget);
    assert_found(&run(setup).await, Rule::Context);
}
