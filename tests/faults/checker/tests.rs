//! Each rule on a history made by hand: the good one passes, and one change breaks it.

use super::*;
use crate::history::{Answer, Call, Event, Line, Message, MessageKind, Shown, ShownKind, What};

/// A bot that answers each message by itself.
const EACH: bool = false;
/// A bot that answers waiting messages together.
const TOGETHER: bool = true;

fn history(coalesces: bool, story: impl IntoIterator<Item = What>) -> History {
    let events = story.into_iter().enumerate().map(|(second, what)| Event {
        at: Duration::from_secs(second as u64),
        what,
    });
    History {
        chat: "c".to_owned(),
        coalesces,
        events: events.collect(),
    }
}

fn accepted(number: usize) -> What {
    message(number, MessageKind::Question)
}

fn message(number: usize, kind: MessageKind) -> What {
    let name = format!("c-{number}");
    let bytes = name.len();
    What::Accepted(Message { name, kind, bytes })
}

/// A call under the name of `turn` about the last of `told`; `u1` is message 1, `r1` the reply `r1`.
fn call(turn: usize, told: &str, answer: Answer) -> What {
    let line = |word: &str| match word.strip_prefix('u') {
        Some(number) => Line::new("user", &format!("c-{number}")),
        None => Line::new("assistant", &text(word)),
    };
    let lines: Vec<Line> = told.split(' ').map(line).collect();
    What::Asked(Call {
        id: format!("turn_{turn}"),
        about: lines.last().unwrap().word.clone(),
        lines,
        answer,
    })
}

fn asked(turn: usize, told: &str, reply: &str) -> What {
    call(turn, told, Answer::Reply(text(reply)))
}

/// A reply of two lines.
fn text(word: &str) -> String {
    format!("{word} begins\n{word} ends")
}

fn shown(to: usize, text: &str) -> What {
    show(ShownKind::Reply, Some(to), text)
}

fn show(kind: ShownKind, to: Option<usize>, text: &str) -> What {
    What::Shown(Shown {
        kind,
        id: None,
        to: to.map(|number| format!("c-{number}")),
        text: text.to_owned(),
    })
}

fn replied(to: usize, word: &str) -> What {
    shown(to, &text(word))
}

/// Three messages, each with its answer.
fn good() -> Vec<What> {
    vec![
        accepted(1),
        accepted(2),
        asked(1, "u1", "r1"),
        replied(1, "r1"),
        asked(2, "u1 r1 u2", "r2"),
        replied(2, "r2"),
        accepted(3),
        asked(3, "u1 r1 u2 r2 u3", "r3"),
        replied(3, "r3"),
    ]
}

fn calm(history: &History) -> Result<Counts, Rule> {
    check(history, &[]).map_err(|violation| violation.rule)
}

/// Something was broken all the time.
fn rough(history: &History) -> Result<Counts, Rule> {
    let disturbance = Disturbance {
        from: Duration::ZERO,
        to: Duration::from_secs(100),
        what: Fault::Cut,
    };
    check(history, &[disturbance]).map_err(|violation| violation.rule)
}

#[test]
fn a_good_history_is_counted() {
    let counts = Counts {
        messages: 3,
        replies: 3,
        calls: 3,
        ..Counts::default()
    };
    assert_eq!(calm(&history(EACH, good())), Ok(counts));
    assert_eq!(calm(&history(EACH, [])), Ok(Counts::default()));
}

#[test]
fn a_message_without_an_outcome_is_lost_at_the_end_and_in_the_middle() {
    let mut end = good();
    end.push(accepted(4));
    assert_eq!(calm(&history(EACH, end)), Err(Rule::Lost));
    let mut middle = good();
    middle.remove(5);
    assert_eq!(calm(&history(EACH, middle)), Err(Rule::Lost));
}

#[test]
fn a_reply_before_an_earlier_one_is_out_of_order() {
    let mut swapped = good();
    swapped.swap(3, 5);
    assert_eq!(calm(&history(EACH, swapped)), Err(Rule::Order));
}

#[test]
fn what_comes_back_after_something_else_is_found_even_when_things_are_broken() {
    let mut late = good();
    late.push(replied(2, "r2"));
    assert_eq!(rough(&history(EACH, late)), Err(Rule::LateRepetition));
    let mut failure = good();
    failure.push(show(ShownKind::Failure, Some(2), "No answer today."));
    failure.push(replied(3, "r3"));
    assert_eq!(rough(&history(EACH, failure)), Err(Rule::SecondOutcome));
}

#[test]
fn a_second_outcome_is_found_even_when_things_are_broken() {
    let mut other = good();
    other.insert(4, asked(1, "u1", "r9"));
    other.insert(5, replied(1, "r9"));
    assert_eq!(rough(&history(EACH, other)), Err(Rule::SecondOutcome));
}

#[test]
fn a_repetition_at_once_needs_a_reason() {
    let mut twice = good();
    twice.insert(4, replied(1, "r1"));
    assert_eq!(rough(&history(EACH, twice.clone())).unwrap().shown_again, 1);
    assert_eq!(calm(&history(EACH, twice)), Err(Rule::Repetition));
}

#[test]
fn a_disturbance_that_is_over_is_no_reason() {
    let mut twice = good();
    twice.push(replied(3, "r3"));
    let history = history(EACH, twice);
    // The reply is shown in second 8.
    let until = |to| Disturbance {
        from: Duration::ZERO,
        to: Duration::from_secs(to),
        what: Fault::Cut,
    };
    assert!(check(&history, &[until(3)]).is_ok());
    assert!(check(&history, &[until(2)]).is_err());
}

#[test]
fn a_repetition_after_another_reply_needs_a_send_that_a_freeze_caught() {
    let mut late = good();
    late.insert(6, replied(1, "r1"));
    let history = history(EACH, late);
    // The first reply is shown in second 3, and again in second 6.
    let judged = |what, from, to| {
        let (from, to) = (Duration::from_secs(from), Duration::from_secs(to));
        let counts = check(&history, &[Disturbance { from, to, what }]);
        counts.map_err(|violation| violation.rule)
    };
    let freeze = Fault::Freeze(Stage::Egress, 1);
    let counts = judged(freeze, 2, 6).unwrap();
    assert_eq!((counts.shown_again, counts.caught, counts.replies), (1, 1, 3));
    let refused = Err(Rule::LateRepetition);
    assert_eq!(judged(Fault::Kill(Stage::Egress, 1), 2, 6), refused);
    assert_eq!(judged(Fault::Freeze(Stage::WebhookCaller, 1), 2, 6), refused);
    assert_eq!(judged(freeze, 4, 6), refused, "shown before the freeze");
    assert_eq!(judged(freeze, 2, 5), refused, "the freeze was over");
    assert_eq!(judged(freeze, 2, 7), refused, "by a process that stood still");
}

#[test]
fn a_second_call_after_the_answer_needs_a_reason_and_one_after_trouble_does_not() {
    let mut again = good();
    again.insert(3, asked(1, "u1", "r9"));
    assert_eq!(rough(&history(EACH, again.clone())).unwrap().asked_again, 1);
    assert_eq!(calm(&history(EACH, again)), Err(Rule::Repetition));
    let mut retried = good();
    retried.insert(2, call(1, "u1", Answer::Trouble("500")));
    assert_eq!(calm(&history(EACH, retried)).unwrap().asked_again, 0);
}

#[test]
fn a_reply_in_parts_comes_whole_and_together() {
    let parts = |story: &[What]| history(EACH, story.iter().cloned());
    let part = |to: Option<usize>, text: &str| show(ShownKind::Reply, to, text);
    let begin = [
        accepted(1),
        accepted(2),
        asked(1, "u1", "r1"),
        asked(2, "u1 r1 u2", "r2"),
    ];
    let (one, two) = (part(Some(1), "r1 begins"), part(None, "r1 ends"));
    let rest = replied(2, "r2");

    let whole = [&begin[..], &[one.clone(), two.clone(), rest.clone()]].concat();
    assert!(calm(&parts(&whole)).is_ok());
    let repeated = [&begin[..], &[one.clone(), one.clone(), two.clone(), rest.clone()]].concat();
    assert_eq!(rough(&parts(&repeated)).unwrap().shown_again, 1);
    let apart = [&begin[..], &[one.clone(), rest.clone(), two.clone()]].concat();
    assert_eq!(rough(&parts(&apart)), Err(Rule::Parts));
    let from_the_start = [&begin[..], &[one.clone(), two.clone(), one.clone(), rest.clone()]].concat();
    assert_eq!(rough(&parts(&from_the_start)), Err(Rule::LateRepetition));
    let torn = [&begin[..], std::slice::from_ref(&one)].concat();
    assert_eq!(rough(&parts(&torn)), Err(Rule::Parts));
    let headless = [&begin[..], &[two, one, rest]].concat();
    assert_eq!(rough(&parts(&headless)), Err(Rule::Parts));
}

#[test]
fn a_reply_that_the_webhook_did_not_give_is_found() {
    let mut invented = good();
    invented[5] = replied(2, "r7");
    assert_eq!(calm(&history(EACH, invented)), Err(Rule::Outcome));
    let mut changed = good();
    changed[5] = shown(2, "r2 begins and ends otherwise");
    assert_eq!(calm(&history(EACH, changed)), Err(Rule::Parts));
    let mut anothers = good();
    anothers[3] = replied(1, "r2");
    assert_eq!(calm(&history(EACH, anothers)), Err(Rule::Outcome));
    let mut nobodys = good();
    nobodys[5] = replied(9, "r2");
    assert_eq!(calm(&history(EACH, nobodys)), Err(Rule::Outcome));
}

#[test]
fn a_context_holds_all_that_was_said_and_nothing_else() {
    for told in [
        "u1 r1 u2 u3",
        "u1 u2 r1 r2 u3",
        "u1 r1 u2 r2 u2 u3",
        "u2 r2 u3",
        "u3",
    ] {
        let mut story = good();
        story[7] = asked(3, told, "r3");
        assert_eq!(calm(&history(EACH, story)), Err(Rule::Context), "{told}");
    }
}

#[test]
fn the_call_of_a_worker_that_wakes_up_late_is_judged_too() {
    let late = |told| {
        let mut story = good();
        story.push(asked(2, told, "r9"));
        rough(&history(EACH, story))
    };
    assert_eq!(late("u1 r1 u2").unwrap().asked_again, 1);
    assert_eq!(late("u1 u2"), Err(Rule::Context));
}

#[test]
fn a_turn_has_one_webhook_id_and_shares_it_with_no_other() {
    let mut renamed = good();
    renamed.insert(4, call(9, "u1 r1 u2", Answer::Trouble("500")));
    assert_eq!(calm(&history(EACH, renamed)), Err(Rule::Identity));
    let mut shared = good();
    shared[4] = asked(1, "u1 r1 u2", "r2");
    assert_eq!(calm(&history(EACH, shared)), Err(Rule::Identity));
    let mut anothers = good();
    anothers.insert(4, call(1, "u1 r1 u2", Answer::Trouble("500")));
    assert_eq!(calm(&history(EACH, anothers)), Err(Rule::Identity));
}

#[test]
fn messages_are_answered_together_only_where_the_bot_does_so() {
    let story = || {
        [
            accepted(1),
            accepted(2),
            asked(1, "u1 u2", "r1"),
            replied(2, "r1"),
        ]
    };
    assert_eq!(calm(&history(TOGETHER, story())).unwrap().replies, 1);
    assert_eq!(calm(&history(EACH, story())), Err(Rule::Lost));
    let half = [accepted(1), accepted(2), asked(1, "u1", "r1"), replied(2, "r1")];
    assert_eq!(calm(&history(TOGETHER, half)), Err(Rule::Outcome));
}

#[test]
fn a_hopeless_message_is_told_as_a_failure_and_no_other_is() {
    let told = |kind, answer| {
        let failure = show(ShownKind::Failure, Some(1), "No answer today.");
        let story = [
            message(1, kind),
            call(1, "u1", answer),
            failure,
            accepted(2),
            asked(2, "u1 u2", "r2"),
            replied(2, "r2"),
        ];
        calm(&history(EACH, story))
    };
    assert_eq!(told(MessageKind::Hopeless, Answer::Refusal).unwrap().failures, 1);
    assert_eq!(told(MessageKind::Question, Answer::Refusal), Err(Rule::Outcome));
    assert_eq!(
        told(MessageKind::Hopeless, Answer::Trouble("500")),
        Err(Rule::Outcome)
    );
    let answered = [
        message(1, MessageKind::Hopeless),
        asked(1, "u1", "r1"),
        replied(1, "r1"),
    ];
    assert_eq!(calm(&history(EACH, answered)), Err(Rule::Outcome));
}

#[test]
fn a_reset_ends_what_waits_and_empties_the_context() {
    let story = |after: &str| {
        [
            accepted(1),
            asked(1, "u1", "r1"),
            replied(1, "r1"),
            accepted(2),
            message(3, MessageKind::Reset),
            call(2, "u1 r1 u2", Answer::Trouble("500")),
            show(ShownKind::Reset, Some(3), "Forgotten."),
            accepted(4),
            asked(4, after, "r4"),
            replied(4, "r4"),
        ]
    };
    let counts = calm(&history(EACH, story("u4"))).unwrap();
    assert_eq!((counts.replies, counts.resets), (2, 1));
    assert_eq!(calm(&history(EACH, story("u1 r1 u4"))), Err(Rule::Context));
    let ignored = [
        message(1, MessageKind::Reset),
        asked(1, "u1", "r1"),
        replied(1, "r1"),
    ];
    assert_eq!(calm(&history(EACH, ignored)), Err(Rule::Outcome));
    let unasked = [accepted(1), show(ShownKind::Reset, Some(1), "Forgotten.")];
    assert_eq!(calm(&history(EACH, unasked)), Err(Rule::Outcome));
}
