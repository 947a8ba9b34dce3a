//! Looks at what the webhook was asked, knowing how each turn ended.

use std::collections::HashMap;
use std::time::Duration;

use super::outcomes::{End, Turn};
use super::{Rule, Violation, disturbed};
use crate::history::{Answer, Call, Disturbance, History, Line, Message};

/// What the webhook was asked, in numbers.
#[derive(Default)]
pub(super) struct Calls {
    /// All calls.
    pub(super) calls: usize,
    /// Those after an answer to the same question.
    pub(super) asked_again: usize,
}

/// Checks every call of a conversation.
///
/// # Errors
/// The first rule about calls that is broken.
pub(super) fn check(
    history: &History,
    turns: &[Turn<'_>],
    disturbances: &[Disturbance],
) -> Result<Calls, Violation> {
    let messages = history.messages();
    let names = names(history, &messages, turns)?;
    let mut seen = Calls::default();
    // When each turn's question was answered for good first.
    let mut answered: HashMap<usize, Duration> = HashMap::new();
    for (at, call) in history.calls() {
        let turn = match names.get(call.id.as_str()) {
            Some(turn) => *turn,
            None => swept_away(call, &messages, turns)?,
        };
        check_context(call, turn, history.coalesces, &messages, turns)?;
        seen.calls += 1;
        if let Some(before) = answered.get(&turn) {
            seen.asked_again += 1;
            if !disturbed(disturbances, *before, at) {
                let what = format!("the webhook was asked again about {}", call.about);
                return Err(Violation::new(Rule::Repetition, what));
            }
        }
        match call.answer {
            Answer::Reply(_) | Answer::Refusal => {
                answered.entry(turn).or_insert(at);
            }
            Answer::Trouble(_) => {}
        }
    }
    Ok(seen)
}

/// Which turn each `webhook-id` stands for: the one whose outcome a call under it gave.
fn names<'a>(
    history: &'a History,
    messages: &[&Message],
    turns: &[Turn<'a>],
) -> Result<HashMap<&'a str, usize>, Violation> {
    let mut names = HashMap::new();
    for (index, turn) in turns.iter().enumerate() {
        let last = &messages[*turn.messages.end()].name;
        let given_by = match turn.end {
            End::Reset => continue,
            End::Reply(call) => call,
            End::Failure => history
                .calls()
                .map(|(_, call)| call)
                .find(|call| call.answer == Answer::Refusal && call.about == *last)
                .ok_or_else(|| {
                    let what = format!("the failure of {last} was told, and the webhook had not refused it");
                    Violation::new(Rule::Outcome, what)
                })?,
        };
        if given_by.about != *last {
            let what = format!("{last} was given the answer to {}", given_by.about);
            return Err(Violation::new(Rule::Outcome, what));
        }
        if names.insert(given_by.id.as_str(), index).is_some() {
            let what = format!("{} is the name of two turns", given_by.id);
            return Err(Violation::new(Rule::Identity, what));
        }
    }
    Ok(names)
}

/// The reset that swept away what a call asked; under its name nothing else has an outcome.
fn swept_away(call: &Call, messages: &[&Message], turns: &[Turn<'_>]) -> Result<usize, Violation> {
    let about = place(call, messages)?;
    let turn = turns.iter().position(|turn| turn.messages.contains(&about));
    turn.filter(|turn| matches!(turns[*turn].end, End::Reset))
        .ok_or_else(|| {
            let what = format!("{} was asked under {}, a name of no turn", call.about, call.id);
            Violation::new(Rule::Identity, what)
        })
}

/// The place of the last message that a call is to answer.
fn place(call: &Call, messages: &[&Message]) -> Result<usize, Violation> {
    messages
        .iter()
        .position(|message| message.name == call.about)
        .ok_or_else(|| {
            let what = format!("{} was asked, and nobody wrote it", call.about);
            Violation::new(Rule::Context, what)
        })
}

/// A call must be told what was said since the last reset, and then its question.
fn check_context(
    call: &Call,
    turn: usize,
    coalesces: bool,
    messages: &[&Message],
    turns: &[Turn<'_>],
) -> Result<(), Violation> {
    let first = *turns[turn].messages.start();
    let about = place(call, messages)?;
    if about < first || (about > first && !coalesces) {
        let what = format!("{} was asked under {}, another turn's name", call.about, call.id);
        return Err(Violation::new(Rule::Identity, what));
    }
    let earlier = &turns[..turn];
    let since = earlier
        .iter()
        .rposition(|turn| matches!(turn.end, End::Reset))
        .map_or(0, |reset| reset + 1);
    let mut expected: Vec<Line> = Vec::new();
    for turn in &earlier[since..] {
        expected.extend(
            messages[turn.messages.clone()]
                .iter()
                .map(|message| question(message)),
        );
        if let End::Reply(Call {
            answer: Answer::Reply(text),
            ..
        }) = turn.end
        {
            expected.push(Line::new("assistant", text));
        }
    }
    expected.extend(messages[first..=about].iter().map(|message| question(message)));
    if call.lines == expected {
        return Ok(());
    }
    let what = format!(
        "{} was asked with [{}], and [{}] had been said",
        call.about,
        shown(&call.lines),
        shown(&expected)
    );
    Err(Violation::new(Rule::Context, what))
}

fn question(message: &Message) -> Line {
    Line {
        role: "user".to_owned(),
        word: message.name.clone(),
        bytes: message.bytes,
    }
}

fn shown(lines: &[Line]) -> String {
    let words: Vec<String> = lines
        .iter()
        .map(|line| format!("{}/{}", line.word, line.bytes))
        .collect();
    words.join(" ")
}
