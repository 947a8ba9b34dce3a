//! Sends the users' messages, in a closed or an open loop, through a door.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::convert::Infallible;
use std::ops::Range;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde::Serialize;
use tokio::task::spawn_local;

use crate::door::Door;
use crate::ledger::Ledger;
use crate::token::Token;

/// The length of a message's text, in bytes.
pub(crate) const MESSAGE_BYTES: usize = 1024;
/// Pushes of an open loop that may wait for their answer; with more, messages are held back and counted.
pub(crate) const MOST_PUSHES: usize = 2048;
/// Pause before a message that was refused is sent again.
const REFUSED_PAUSE: Duration = Duration::from_millis(50);
/// How often a random choice may hit a conversation that waits for its reply, before one is taken as it is.
const CHOICES: usize = 16;
/// The same conversations are chosen in every run.
const SEED: u64 = 7;

/// What became of the pushes so far.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Answers {
    /// 200 or 202: it will be answered.
    pub(crate) accepted: u64,
    /// 429.
    pub(crate) too_many: u64,
    /// 503.
    pub(crate) unavailable: u64,
    /// The connection broke: whether it will be answered is not known.
    pub(crate) unanswered: u64,
    /// Not sent, because [`MOST_PUSHES`] waited for their answer.
    pub(crate) held_back: u64,
}

/// What is done with a message that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is sent again until it is accepted.
    SendAgain,
    /// It is forgotten.
    Forget,
}

/// The users.
pub(crate) struct Driver {
    ledger: Rc<Ledger>,
    door: Box<dyn Door>,
    padding: String,
    pushing: Cell<usize>,
    answers: Cell<Answers>,
    refusals: RefCell<Vec<Duration>>,
}

impl Driver {
    /// Users in front of a door.
    pub(crate) fn new(ledger: Rc<Ledger>, door: Box<dyn Door>) -> Rc<Self> {
        Rc::new(Self {
            ledger,
            door,
            padding: "lorem ipsum ".repeat(MESSAGE_BYTES / 12 + 1),
            pushing: Cell::default(),
            answers: Cell::default(),
            refusals: RefCell::default(),
        })
    }

    /// What became of the pushes so far.
    pub(crate) fn answers(&self) -> Answers {
        self.answers.get()
    }

    /// How long each refusal took.
    pub(crate) fn refusals(&self) -> Vec<Duration> {
        self.refusals.take()
    }

    /// Every conversation sends its next message when the reply to the last one came. The first messages are
    /// spread over `ramp`. Ends only when dropped.
    pub(crate) async fn closed_loop(self: &Rc<Self>, conversations: &[usize], ramp: Duration) -> Infallible {
        let members: HashSet<usize> = conversations.iter().copied().collect();
        let begin = Instant::now();
        let mut starting = conversations.iter().enumerate();
        let due = |started: usize| begin + ramp.mul_f64(started as f64 / conversations.len() as f64);
        let mut next = starting.next();
        loop {
            let start = async {
                match next {
                    Some((started, _)) => tokio::time::sleep_until(due(started).into()).await,
                    None => std::future::pending().await,
                }
            };
            let conversation = tokio::select! {
                biased;
                () = start => next.take().map(|(_, conversation)| *conversation),
                conversation = self.ledger.freed() => members.get(&conversation).copied(),
            };
            if next.is_none() {
                next = starting.next();
            }
            if let Some(conversation) = conversation {
                self.send(conversation, Instant::now(), Refused::SendAgain);
            }
        }
    }

    /// So many messages under way, each in another conversation: when a reply came, the next conversation in order
    /// sends one. Ends only when dropped.
    pub(crate) async fn wander(self: &Rc<Self>, conversations: usize, under_way: usize) -> Infallible {
        let mut next = (0..conversations).cycle();
        for _ in 0..under_way {
            self.send(next.next().unwrap_or(0), Instant::now(), Refused::SendAgain);
        }
        loop {
            self.ledger.freed().await;
            self.send(next.next().unwrap_or(0), Instant::now(), Refused::SendAgain);
        }
    }

    /// Messages at a fixed rate, in one conversation after the other: as far apart in each as can be. Ends only when
    /// dropped.
    pub(crate) async fn in_turn(self: &Rc<Self>, conversations: usize, per_second: f64) -> Infallible {
        let mut beat = tokio::time::interval(Duration::from_secs_f64(per_second.recip()));
        let mut next = (0..conversations).cycle();
        loop {
            let due = beat.tick().await;
            self.send(next.next().unwrap_or(0), due.into(), Refused::SendAgain);
        }
    }

    /// Messages at a fixed rate in random conversations, where possible in such that wait for nothing. A message
    /// that leaves late counts from when it was due. Ends only when dropped.
    pub(crate) async fn open_loop(
        self: &Rc<Self>,
        conversations: Range<usize>,
        per_second: f64,
        refused: Refused,
    ) -> Infallible {
        let mut random = SmallRng::seed_from_u64(SEED);
        let begin = Instant::now();
        for count in 0_u32.. {
            let due = begin + Duration::from_secs_f64(f64::from(count) / per_second);
            tokio::time::sleep_until(due.into()).await;
            if self.pushing.get() >= MOST_PUSHES {
                self.count(|answers| answers.held_back += 1);
                continue;
            }
            let mut choice = random.random_range(conversations.clone());
            for _ in 0..CHOICES {
                if self.ledger.is_free(choice) {
                    break;
                }
                choice = random.random_range(conversations.clone());
            }
            self.send(choice, due, refused);
        }
        unreachable!("the messages of a run can be counted")
    }

    fn send(self: &Rc<Self>, conversation: usize, intended: Instant, refused: Refused) {
        let token = self.ledger.ask(conversation, intended);
        let driver = Rc::clone(self);
        spawn_local(async move {
            driver.pushing.set(driver.pushing.get() + 1);
            driver.deliver(token, refused).await;
            driver.pushing.set(driver.pushing.get() - 1);
        });
    }

    async fn deliver(&self, token: Token, refused: Refused) {
        loop {
            let began = Instant::now();
            match self.door.push(token, self.text(token)).await {
                Ok(200 | 202) => return self.count(|answers| answers.accepted += 1),
                Ok(429) => self.count(|answers| answers.too_many += 1),
                Ok(503) => self.count(|answers| answers.unavailable += 1),
                Ok(status) => return self.ledger.fault(format!("{token} was answered {status}")),
                Err(_) if refused == Refused::Forget => {
                    self.count(|answers| answers.unanswered += 1);
                    return self.ledger.withdraw(token);
                }
                Err(error) => return self.ledger.fault(format!("{token} was not answered: {error}")),
            }
            self.refusals.borrow_mut().push(began.elapsed());
            match refused {
                Refused::SendAgain => tokio::time::sleep(REFUSED_PAUSE).await,
                Refused::Forget => return self.ledger.withdraw(token),
            }
        }
    }

    fn text(&self, token: Token) -> String {
        let padding = &self.padding[..MESSAGE_BYTES - token.to_string().len()];
        format!("{padding}{token}")
    }

    fn count(&self, change: impl FnOnce(&mut Answers)) {
        let mut answers = self.answers.get();
        change(&mut answers);
        self.answers.set(answers);
    }
}
