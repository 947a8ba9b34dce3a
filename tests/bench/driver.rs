//! Sends the users' messages, in a closed or an open loop, over connections that are kept.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use testkit::callback::sign_push;
use tokio::net::TcpStream;
use tokio::task::spawn_local;

use crate::http::Connection;
use crate::ledger::Ledger;
use crate::token::Token;

/// The length of a message's text, in bytes.
pub(crate) const MESSAGE_BYTES: usize = 1024;
/// Pause before a message that was refused is sent again.
const REFUSED_PAUSE: Duration = Duration::from_millis(50);
/// How often a random choice may hit a conversation that waits for its reply, before one is taken as it is.
const CHOICES: usize = 16;

/// Where messages go.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    /// The address.
    pub(crate) address: SocketAddr,
    /// The path for a conversation.
    pub(crate) path: fn(usize) -> String,
    /// Signs what is pushed.
    pub(crate) secret: String,
}

/// What became of the pushes so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Answers {
    pub(crate) accepted: u64,
    pub(crate) too_many: u64,
    pub(crate) unavailable: u64,
    pub(crate) unanswered: u64,
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
    refused: Refused,
    idle: RefCell<Vec<Connection>>,
    answers: Cell<Answers>,
    padding: String,
}

impl Driver {
    /// Users in front of a door.
    pub(crate) fn new(ledger: Rc<Ledger>, door: Door, refused: Refused) -> Rc<Self> {
        Rc::new(Self {
            ledger,
            door,
            refused,
            idle: RefCell::default(),
            answers: Cell::default(),
            padding: "lorem ipsum ".repeat(MESSAGE_BYTES / 12 + 1),
        })
    }

    /// What became of the pushes so far.
    pub(crate) fn answers(&self) -> Answers {
        self.answers.get()
    }

    /// Every conversation sends its next message when the reply to the last one came. Ends only when dropped.
    pub(crate) async fn closed_loop(self: &Rc<Self>, conversations: usize) -> ! {
        for conversation in 0..conversations {
            self.send(conversation, Instant::now());
        }
        loop {
            let conversation = self.ledger.freed().await;
            self.send(conversation, Instant::now());
        }
    }

    /// Messages at a fixed rate, each in a random conversation that waits for nothing. A message that leaves late
    /// counts from when it was due. Ends only when dropped.
    pub(crate) async fn open_loop(self: &Rc<Self>, first: usize, conversations: usize, per_second: f64) -> ! {
        let mut random = SmallRng::seed_from_u64(7);
        let begin = Instant::now();
        for count in 0_u32.. {
            let due = begin + Duration::from_secs_f64(f64::from(count) / per_second);
            tokio::time::sleep_until(due.into()).await;
            let mut choices = std::iter::repeat_with(|| first + random.random_range(0..conversations));
            let free = choices
                .by_ref()
                .take(CHOICES)
                .find(|choice| self.ledger.is_free(*choice));
            let conversation = free.or_else(|| choices.next()).unwrap_or(first);
            self.send(conversation, due);
        }
        unreachable!("the messages of a run can be counted")
    }

    fn send(self: &Rc<Self>, conversation: usize, intended: Instant) {
        let token = self.ledger.ask(conversation, intended);
        let driver = Rc::clone(self);
        spawn_local(async move { driver.deliver(token).await });
    }

    async fn deliver(&self, token: Token) {
        loop {
            match self.push(token).await {
                Ok(202) => return self.count(|answers| answers.accepted += 1),
                Ok(429) => self.count(|answers| answers.too_many += 1),
                Ok(503) => self.count(|answers| answers.unavailable += 1),
                Ok(status) => return self.ledger.fault(format!("{token} was answered {status}")),
                // It may have arrived: its reply is welcome, and nothing is promised.
                Err(_) if self.refused == Refused::Forget => self.count(|answers| answers.unanswered += 1),
                Err(error) => return self.ledger.fault(format!("{token} was not answered: {error}")),
            }
            match self.refused {
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
        let answer = connection.read().await?;
        let status = answer.and_then(|answer| answer.status()).unwrap_or(0);
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
