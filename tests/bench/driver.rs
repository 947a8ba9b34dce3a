//! Sends the users' messages, in a closed or an open loop, over connections that are kept.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::ops::Range;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde::Serialize;
use testkit::callback::sign_push;
use tokio::net::TcpStream;
use tokio::task::spawn_local;

use crate::http::Connection;
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

/// Where messages go in.
pub(crate) struct Door {
    /// The address.
    pub(crate) address: SocketAddr,
    /// The path for a conversation.
    pub(crate) path: Box<dyn Fn(usize) -> String>,
    /// Signs what is pushed.
    pub(crate) secret: String,
}

/// What became of the pushes so far.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Answers {
    /// 202: it will be answered.
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
    door: Door,
    padding: String,
    idle: RefCell<Vec<Connection>>,
    pushing: Cell<usize>,
    answers: Cell<Answers>,
    refusals: RefCell<Vec<Duration>>,
}

impl Driver {
    /// Users in front of a door.
    pub(crate) fn new(ledger: Rc<Ledger>, door: Door) -> Rc<Self> {
        Rc::new(Self {
            ledger,
            door,
            padding: "lorem ipsum ".repeat(MESSAGE_BYTES / 12 + 1),
            idle: RefCell::default(),
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
            match self.push(token).await {
                Ok(202) => return self.count(|answers| answers.accepted += 1),
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

    async fn push(&self, token: Token) -> std::io::Result<u16> {
        let idle = self.idle.borrow_mut().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => Connection::new(TcpStream::connect(self.door.address).await?)?,
        };
        connection.write(&self.request(token)).await?;
        let status = connection.read().await?.and_then(|answer| answer.status());
        let Some(status) = status else {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        };
        self.idle.borrow_mut().push(connection);
        Ok(status)
    }

    fn request(&self, token: Token) -> Vec<u8> {
        let text = &self.padding[..MESSAGE_BYTES - token.to_string().len()];
        let chat = chat(token.conversation);
        let body = format!(
            "{{\"conversation_id\":\"{chat}\",\"user\":{{\"id\":\"{chat}\"}},\"text\":\"{text}{token}\"}}"
        );
        let id = format!("push-{}-{}", token.conversation, token.number);
        let [(_, id), (_, at), (_, signature)] =
            sign_push(&self.door.secret, &id, now_seconds(), body.as_bytes());
        let (path, length) = ((self.door.path)(token.conversation), body.len());
        format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nwebhook-id: {id}\r\n\
             webhook-timestamp: {at}\r\nwebhook-signature: {signature}\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }

    fn count(&self, change: impl FnOnce(&mut Answers)) {
        let mut answers = self.answers.get();
        change(&mut answers);
        self.answers.set(answers);
    }
}

/// A conversation as the channel's user names it.
pub(crate) fn chat(conversation: usize) -> String {
    format!("chat-{conversation:07}")
}

#[expect(clippy::disallowed_methods, reason = "a signature names the real time")]
fn now_seconds() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("the clock is past 1970").as_secs()
}
