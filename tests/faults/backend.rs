//! The webhook: slow, flaky, and with a memory for what it was asked.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use testkit::backend::{Recorded, Scripted};

use crate::history::{Answer, Call, Line, What, first_word};
use crate::ledger::Ledger;

/// How long the platform waits for an answer.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(4);
/// An answer that comes after the platform has hung up.
const TOO_LATE: Duration = Duration::from_secs(5);
/// How many digits stand behind the chat in an identifier of Discord.
pub(crate) const NUMBER_DIGITS: usize = 5;
/// Stands in the text of a message that is refused for good.
pub(crate) const HOPELESS: &str = "hopeless";

/// How the webhook behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manners {
    /// It answers soon, and always.
    Good,
    /// It is slow at times, fails at times, and says much at times.
    Flaky,
}

/// A webhook that writes down what it is asked and answered.
pub(crate) struct Backend {
    seed: u64,
    manners: Manners,
    ledger: Arc<Ledger>,
    memory: Mutex<Memory>,
    down: AtomicBool,
}

#[derive(Default)]
struct Memory {
    /// Calls so far, by `webhook-id`.
    calls: HashMap<String, u64>,
    /// Hopeless messages, and the `webhook-id` under which each was asked first.
    hopeless: HashMap<String, String>,
}

impl Backend {
    /// A webhook whose moods are drawn from `seed`.
    pub(crate) fn new(seed: u64, manners: Manners, ledger: Arc<Ledger>) -> Self {
        Self {
            seed,
            manners,
            ledger,
            memory: Mutex::default(),
            down: AtomicBool::new(false),
        }
    }

    /// From now on it refuses every call, or it does not.
    pub(crate) fn is_down(&self, down: bool) {
        self.down.store(down, Ordering::Relaxed);
    }

    /// Answers a call.
    pub(crate) fn answer(&self, recorded: &Recorded) -> Scripted {
        let id = recorded.header("webhook-id").unwrap_or_default().to_owned();
        let lines = recorded
            .said()
            .map(|(role, text)| Line::new(role, &text))
            .collect();
        let mut random = self.mood(&id);
        let (answer, script) = if self.down.load(Ordering::Relaxed) {
            (Answer::Trouble("down"), Scripted::status(503))
        } else if self.is_hopeless(recorded, &id) {
            (Answer::Refusal, Scripted::status(400))
        } else {
            self.try_to_answer(recorded, &mut random)
        };
        let Some(metadata) = recorded.request.as_ref().map(|request| &request.metadata) else {
            self.ledger.strange(format!("a call that is no request: {id}"));
            return script;
        };
        let chat = metadata.chat_id.as_str();
        let number = metadata.message_id.as_deref().unwrap_or_default();
        let call = Call {
            id,
            lines,
            about: name_of(chat, number),
            answer,
        };
        self.ledger.record(chat, What::Asked(call));
        script.after(match self.manners {
            Manners::Good => Duration::from_millis(5),
            Manners::Flaky => pause(&mut random),
        })
    }

    /// The same for the same call of the same turn in every run of a seed.
    fn mood(&self, id: &str) -> StdRng {
        let mut memory = self.memory.lock().unwrap();
        let calls = memory.calls.entry(id.to_owned()).or_default();
        *calls += 1;
        let mut hasher = DefaultHasher::new();
        (self.seed, id, *calls).hash(&mut hasher);
        StdRng::seed_from_u64(hasher.finish())
    }

    /// Whether the question holds a hopeless message. Once refused it stays in the conversation without an
    /// answer, before later questions, which are not hopeless for that.
    fn is_hopeless(&self, recorded: &Recorded, id: &str) -> bool {
        let mut memory = self.memory.lock().unwrap();
        let mut hopeless = false;
        for (role, text) in recorded.said() {
            if role == "user" && text.contains(HOPELESS) {
                let first = memory
                    .hopeless
                    .entry(first_word(&text).to_owned())
                    .or_insert_with(|| id.to_owned());
                hopeless |= first == id;
            }
        }
        hopeless
    }

    fn try_to_answer(&self, recorded: &Recorded, random: &mut StdRng) -> (Answer, Scripted) {
        let (question, mut lines) = (recorded.last_text(), 1);
        if self.manners == Manners::Flaky {
            let trouble = |what, script| (Answer::Trouble(what), script);
            match random.random_range(0..1000) {
                0..15 => return trouble("500", Scripted::status(500)),
                15..30 => return trouble("503", Scripted::status(503)),
                30..40 => return trouble("429", Scripted::retry_after("1")),
                40..50 => return trouble("cut", Scripted::Disconnect),
                50..53 => return trouble("silence", Scripted::Hang),
                53..56 => return trouble("too late", reply(recorded, &question, 1).1.after(TOO_LATE)),
                56..90 => lines = 150,
                _ => {}
            }
        }
        let (text, script) = reply(recorded, &question, lines);
        (Answer::Reply(text), script)
    }
}

/// A reply of some lines. Its first word is its own; with more lines it is more than one Telegram message.
fn reply(recorded: &Recorded, question: &str, lines: usize) -> (String, Scripted) {
    let number = recorded.number;
    let mut text = format!("r{number} answers {}", first_word(question));
    for line in 1..lines {
        text.push_str(&format!("\nr{number} says much more, this is line {line}"));
    }
    (text.clone(), Scripted::text(text))
}

/// How long it takes: mostly a moment, at times much longer.
fn pause(random: &mut StdRng) -> Duration {
    let millis = match random.random_range(0..10) {
        0 => 500..1500,
        _ => 10..250,
    };
    Duration::from_millis(random.random_range(millis))
}

/// A message's name. Telegram numbers the messages of a chat, Slack has their times, Discord numbers for all chats, and
/// our own channel takes any name.
pub(crate) fn name_of(chat: &str, message: &str) -> String {
    if message.contains('-') {
        return message.to_owned();
    }
    let behind = |number: &str| format!("{chat}-{}", number.trim_start_matches('0'));
    match (message.split_once('.'), message.strip_prefix(chat)) {
        (Some((_, micros)), _) => behind(micros),
        (None, Some(number)) if number.len() == NUMBER_DIGITS => behind(number),
        (None, Some(_) | None) => format!("{chat}-{message}"),
    }
}
