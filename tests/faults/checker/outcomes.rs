//! Reads what the chat showed: which messages ended together, and how.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::{Rule, Violation, caught, disturbed};
use crate::history::{
    Answer, Call, Disturbance, History, Message, MessageKind, Shown, ShownKind, first_word,
};

/// What the chat showed.
pub(super) struct Outcomes<'a> {
    /// The turns, in order; together they cover every message.
    pub(super) turns: Vec<Turn<'a>>,
    /// Parts that were shown twice.
    pub(super) shown_again: usize,
    /// Those of them whose send a freeze had caught.
    pub(super) caught: usize,
}

/// Messages that ended together.
pub(super) struct Turn<'a> {
    /// The places of its messages.
    pub(super) messages: RangeInclusive<usize>,
    /// How they ended.
    pub(super) end: End<'a>,
}

/// How messages ended.
#[derive(Clone, Copy)]
pub(super) enum End<'a> {
    /// With the reply that this call was answered with.
    Reply(&'a Call),
    /// With the bot's words for a failure.
    Failure,
    /// With a reset.
    Reset,
}

/// Reads the outcomes of a conversation.
///
/// # Errors
/// The first rule about outcomes that is broken.
pub(super) fn read<'a>(
    history: &'a History,
    disturbances: &[Disturbance],
) -> Result<Outcomes<'a>, Violation> {
    let mut reader = Reader {
        history,
        messages: history.messages(),
        turns: Vec::new(),
        rest: String::new(),
    };
    let mut previous: Option<(Duration, &Shown)> = None;
    let (mut shown_again, mut late) = (0, 0);
    let mut before: HashMap<&Shown, Duration> = HashMap::new();
    for (at, shown) in history.shown() {
        let earlier = before.get(shown).copied();
        before.entry(shown).or_insert(at);
        match previous {
            Some((first, same)) if same == shown => {
                shown_again += 1;
                if !disturbed(disturbances, first, at) {
                    let what = format!("{:?} was shown again", first_word(&shown.text));
                    return Err(Violation::new(Rule::Repetition, what));
                }
            }
            Some((_, other)) if let Some(first) = earlier => {
                if caught(disturbances, first, at) {
                    shown_again += 1;
                    late += 1;
                    continue;
                }
                let (word, other) = (first_word(&shown.text), first_word(&other.text));
                let what = format!("{word:?} was shown again after {other:?}");
                return Err(Violation::new(Rule::LateRepetition, what));
            }
            Some(_) | None => reader.show(shown)?,
        }
        previous = Some((at, shown));
    }
    reader.finish()?;
    Ok(Outcomes {
        turns: reader.turns,
        shown_again,
        caught: late,
    })
}

struct Reader<'a> {
    history: &'a History,
    messages: Vec<&'a Message>,
    turns: Vec<Turn<'a>>,
    /// What has still to come of the last reply.
    rest: String,
}

impl<'a> Reader<'a> {
    fn show(&mut self, shown: &Shown) -> Result<(), Violation> {
        if self.rest.is_empty() {
            self.begin(shown)
        } else {
            self.go_on(shown)
        }
    }

    /// The next part of the reply that has begun.
    fn go_on(&mut self, shown: &Shown) -> Result<(), Violation> {
        let part = words(&shown.text);
        match self.rest.strip_prefix(&part) {
            Some(rest) if shown.kind == ShownKind::Reply => {
                self.rest = rest.trim_start().to_owned();
                Ok(())
            }
            Some(_) | None => {
                let what = format!(
                    "{:?} was shown where {:?} should have gone on",
                    first_word(&shown.text),
                    first_word(&self.rest)
                );
                Err(Violation::new(Rule::Parts, what))
            }
        }
    }

    /// The first part of the next outcome.
    fn begin(&mut self, shown: &Shown) -> Result<(), Violation> {
        let messages = self.ended_by(shown)?;
        let of_kind = |kind| {
            self.messages[messages.clone()]
                .iter()
                .any(|message| message.kind == kind)
        };
        let (hopeless, reset) = (of_kind(MessageKind::Hopeless), of_kind(MessageKind::Reset));
        let ends_with_reset = self.messages[*messages.end()].kind == MessageKind::Reset;
        let end = match shown.kind {
            ShownKind::Reply if !hopeless && !reset => End::Reply(self.reply(shown)?),
            ShownKind::Failure if hopeless && !reset => End::Failure,
            ShownKind::Reset if ends_with_reset => End::Reset,
            ShownKind::Reply | ShownKind::Failure | ShownKind::Reset => {
                let of = self.names(&messages);
                let what = format!("{:?} cannot be the outcome of {of}", shown.kind);
                return Err(Violation::new(Rule::Outcome, what));
            }
        };
        self.turns.push(Turn { messages, end });
        Ok(())
    }

    /// The messages that an outcome ends: those without one, up to the one that it answers.
    fn ended_by(&self, shown: &Shown) -> Result<RangeInclusive<usize>, Violation> {
        let word = first_word(&shown.text);
        let Some(to) = &shown.to else {
            let what = format!("{word:?} goes on where nothing was to go on");
            return Err(Violation::new(Rule::Parts, what));
        };
        let Some(last) = self.messages.iter().position(|message| message.name == *to) else {
            let what = format!("{word:?} answers {to}, which nobody wrote");
            return Err(Violation::new(Rule::Outcome, what));
        };
        let first = self.turns.last().map_or(0, |turn| turn.messages.end() + 1);
        if last < first {
            let what = format!("{to} had its outcome before {word:?}");
            return Err(Violation::new(Rule::SecondOutcome, what));
        }
        if first < last && !self.history.coalesces && shown.kind != ShownKind::Reset {
            return Err(self.passed_over(&self.messages[first].name, word));
        }
        Ok(first..=last)
    }

    /// A message whose outcome did not come in its place: it comes later, or never.
    fn passed_over(&self, name: &str, by: &str) -> Violation {
        let mut outcomes = self.history.shown();
        if outcomes.any(|(_, shown)| shown.to.as_deref() == Some(name)) {
            Violation::new(Rule::Order, format!("{by:?} overtook the outcome of {name}"))
        } else {
            Violation::new(
                Rule::Lost,
                format!("{name} has no outcome, {by:?} passed over it"),
            )
        }
    }

    /// The call that was answered with the reply that begins here.
    fn reply(&mut self, shown: &Shown) -> Result<&'a Call, Violation> {
        let word = first_word(&shown.text);
        let mut calls = self.history.calls().filter_map(|(_, call)| match &call.answer {
            Answer::Reply(text) if first_word(text) == word => Some((call, words(text))),
            Answer::Reply(_) | Answer::Refusal | Answer::Trouble(_) => None,
        });
        let Some((call, text)) = calls.next() else {
            let what = format!("the webhook did not say {word:?} in this conversation");
            return Err(Violation::new(Rule::Outcome, what));
        };
        match text.strip_prefix(&words(&shown.text)) {
            Some(rest) => {
                self.rest = rest.trim_start().to_owned();
                Ok(call)
            }
            None => {
                let what = format!("{word:?} is not what the webhook said");
                Err(Violation::new(Rule::Parts, what))
            }
        }
    }

    fn finish(&self) -> Result<(), Violation> {
        if !self.rest.is_empty() {
            let what = format!("the end from {:?} on was not shown", first_word(&self.rest));
            return Err(Violation::new(Rule::Parts, what));
        }
        let next = self.turns.last().map_or(0, |turn| turn.messages.end() + 1);
        match self.messages.len() {
            all if next < all => {
                let what = format!("{} has no outcome", self.names(&(next..=all - 1)));
                Err(Violation::new(Rule::Lost, what))
            }
            _ => Ok(()),
        }
    }

    fn names(&self, messages: &RangeInclusive<usize>) -> String {
        let names = self.messages[messages.clone()].iter();
        names
            .map(|message| message.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// The words of a text. Channels cut texts where there are spaces.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
