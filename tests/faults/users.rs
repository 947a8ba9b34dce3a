//! The users: each writes in bursts, waits for the answers, and begins another conversation after a while.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use testkit::callback::{push_with_id, text_message};
use testkit::discord::{self, FakeGateway};
use testkit::slack::{self, push_event};
use testkit::telegram::{command_update, photo_update, push_update, text_update};
use tests::manifest::{SLACK_SIGNING_SECRET, TELEGRAM_SECRET, push_secret};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::backend::HOPELESS;
use crate::history::{History, Message, MessageKind, What};
use crate::ledger::Ledger;

/// HTTP connection of the bot that answers each message by itself.
pub(crate) const WEB: &str = "web";
/// HTTP connection of the bot that answers waiting messages together.
pub(crate) const COLLECT: &str = "collect";
/// Telegram connection of the bot behind [`WEB`].
pub(crate) const TELEGRAM: &str = "tg";
/// Slack connection of the bot behind [`WEB`].
pub(crate) const SLACK: &str = "slack";
/// Discord connection of the bot behind [`WEB`], which reads plain messages.
pub(crate) const DISCORD: &str = "discord";

/// The file that comes with photos on Telegram; attachment-fetcher brings it in before the webhook is asked.
pub(crate) const PHOTO: &str = "photo";

/// How long a platform waits for ingress before it pushes again.
const PUSH_TIMEOUT: Duration = Duration::from_secs(3);
/// The pause before that.
const PUSH_PAUSE: Duration = Duration::from_millis(300);

/// What the users do.
#[derive(Debug, Clone)]
pub(crate) struct Workload {
    /// What everything is drawn from.
    pub(crate) seed: u64,
    /// Users of [`WEB`], [`COLLECT`], [`TELEGRAM`], [`SLACK`] and [`DISCORD`].
    pub(crate) users: [usize; 5],
    /// How long they write; without a limit each has one conversation.
    pub(crate) lasts: Option<Duration>,
    /// How many messages a conversation has.
    pub(crate) messages: Range<u64>,
    /// The pause before a burst, in milliseconds.
    pub(crate) pause: Range<u64>,
    /// How long a user waits for answers before the next burst.
    pub(crate) patience: Duration,
    /// Of a thousand messages, so many are hopeless, resets, photos, or pushed again.
    pub(crate) oddities: u32,
}

impl Workload {
    /// 200 users; about 40 messages a second.
    pub(crate) fn city(seed: u64, lasts: Duration) -> Self {
        Self {
            seed,
            users: [75, 75, 30, 10, 10],
            lasts: Some(lasts),
            messages: 5..40,
            pause: 2_000..14_000,
            patience: Duration::from_secs(15),
            oddities: 30,
        }
    }

    /// A few users with one short conversation each.
    pub(crate) fn hamlet() -> Self {
        Self {
            seed: 1,
            users: [3, 0, 2, 0, 0],
            lasts: None,
            messages: 6..7,
            pause: 0..100,
            patience: Duration::from_secs(2),
            oddities: 0,
        }
    }
}

/// One user, who has one conversation after the other.
pub(crate) struct User {
    connection: &'static str,
    number: usize,
    workload: Workload,
    random: StdRng,
    ledger: Arc<Ledger>,
    ingress: watch::Receiver<Vec<SocketAddr>>,
    gateway: Arc<FakeGateway>,
}

/// The users of a workload.
pub(crate) fn users(
    workload: &Workload,
    ledger: &Arc<Ledger>,
    ingress: &watch::Receiver<Vec<SocketAddr>>,
    gateway: &Arc<FakeGateway>,
) -> Vec<User> {
    let connections = [WEB, COLLECT, TELEGRAM, SLACK, DISCORD];
    let kinds = connections.into_iter().zip(workload.users);
    let connections = kinds.flat_map(|(connection, count)| std::iter::repeat_n(connection, count));
    connections
        .enumerate()
        .map(|(number, connection)| User {
            connection,
            number,
            workload: workload.clone(),
            random: StdRng::seed_from_u64(workload.seed ^ (1 + number as u64).rotate_left(32)),
            ledger: Arc::clone(ledger),
            ingress: ingress.clone(),
            gateway: Arc::clone(gateway),
        })
        .collect()
}

impl User {
    /// Writes until it is time to stop.
    pub(crate) async fn live(mut self) {
        for conversation in 0.. {
            self.converse(conversation).await;
            if self.is_time_to_stop() || self.workload.lasts.is_none() {
                return;
            }
        }
    }

    fn is_time_to_stop(&self) -> bool {
        self.workload
            .lasts
            .is_some_and(|lasts| self.ledger.now() >= lasts)
    }

    async fn converse(&mut self, conversation: usize) {
        let chat = self.chat(conversation);
        let mut seen = self.ledger.open(&chat, self.connection == COLLECT).subscribe();
        let count = self.random.random_range(self.workload.messages.clone());
        let mut written: Vec<Draft> = Vec::new();
        while (written.len() as u64) < count {
            let pause = self.random.random_range(self.workload.pause.clone());
            sleep(Duration::from_millis(pause)).await;
            if self.is_time_to_stop() {
                return;
            }
            for _ in 0..self.random.random_range(1..=4) {
                let draft = self.draft(&chat, written.len() + 1);
                self.write(&draft, &written).await;
                written.push(draft);
            }
            let quiet = seen.wait_for(History::is_quiet);
            // Who waits in vain writes all the same.
            drop(timeout(self.workload.patience, quiet).await);
        }
    }

    /// Chats of Telegram and Discord are numbers, direct messages of Slack begin with a D.
    fn chat(&self, conversation: usize) -> String {
        match self.connection {
            TELEGRAM | DISCORD => (10_000 * (self.number + 1) + conversation).to_string(),
            SLACK => format!("D{}C{conversation}", self.number),
            connection => format!("{connection}{}c{conversation}", self.number),
        }
    }

    fn draft(&mut self, chat: &str, number: usize) -> Draft {
        let name = format!("{chat}-{number}");
        let (hopeless, reset) = (self.is_odd(), self.is_odd());
        // What Slack shows does not say which message it answers, but for a reply, whose text does.
        let (hopeless, reset) = match self.connection {
            SLACK => (false, false),
            _ => (hopeless, reset),
        };
        let (kind, text) = match (hopeless, reset) {
            (true, _) => (MessageKind::Hopeless, format!("{name} is {HOPELESS}")),
            (false, true) => (MessageKind::Reset, "/reset".to_owned()),
            (false, false) => (MessageKind::Question, format!("{name} please")),
        };
        Draft {
            chat: chat.to_owned(),
            number,
            text,
            kind,
            has_photo: kind == MessageKind::Question && self.connection == TELEGRAM && self.is_odd(),
        }
    }

    /// Writes one message; returns when it is accepted. At times its push is repeated, or that of one of the
    /// messages before.
    async fn write(&mut self, draft: &Draft, written: &[Draft]) {
        let replica = self.random.random_range(0..2);
        let (twice_at_once, twice, earlier) = (self.is_odd(), self.is_odd(), self.is_odd());
        let back = self.random.random_range(1..=10);
        if self.connection == DISCORD {
            // Discord keeps it until its Gateway is read.
            self.gateway.says(draft.gateway_message());
            self.ledger.record(&draft.chat, What::Accepted(draft.message()));
            return;
        }
        if twice_at_once {
            let (one, other) = tokio::join!(self.push(draft, replica), self.push(draft, replica + 1));
            if !one && !other {
                self.push_until_accepted(draft, replica).await;
            }
        } else {
            self.push_until_accepted(draft, replica).await;
        }
        self.ledger.record(&draft.chat, What::Accepted(draft.message()));
        let before = written.len().checked_sub(back).map(|index| &written[index]);
        let again = [twice.then_some(draft), before.filter(|_| earlier)];
        for draft in again.into_iter().flatten() {
            if self.push(draft, replica + 1).await {
                self.ledger
                    .record(&draft.chat, What::PushedAgain(draft.message().name));
            }
        }
    }

    /// A platform pushes until it is told that the message was taken, here and there.
    async fn push_until_accepted(&self, draft: &Draft, first: usize) {
        for replica in first.. {
            if self.push(draft, replica).await {
                return;
            }
            sleep(PUSH_PAUSE).await;
        }
    }

    /// Pushes once; whether it was accepted.
    async fn push(&self, draft: &Draft, replica: usize) -> bool {
        let addresses = self.ingress.borrow().clone();
        let url = format!("http://{}", addresses[replica % addresses.len()]);
        let answered = match self.connection {
            TELEGRAM => {
                let url = format!("{url}/v1/channels/{TELEGRAM}/updates");
                timeout(PUSH_TIMEOUT, push_update(&url, TELEGRAM_SECRET, &draft.update())).await
            }
            SLACK => {
                let url = format!("{url}/v1/channels/{SLACK}/events");
                timeout(
                    PUSH_TIMEOUT,
                    push_event(&url, SLACK_SIGNING_SECRET, &draft.event()),
                )
                .await
            }
            connection => {
                let (secret, id, message) = (push_secret(), draft.message().name, draft.json());
                let push = push_with_id(&url, connection, &secret, &id, &message);
                timeout(PUSH_TIMEOUT, push).await
            }
        };
        let Ok(Ok(answer)) = answered else {
            return false;
        };
        let status = answer.status();
        // A push that is refused for good would be repeated for ever.
        if matches!(status.as_u16(), 400 | 401 | 413) {
            self.ledger.strange(format!("a push was answered with {status}"));
        }
        status.is_success()
    }

    fn is_odd(&mut self) -> bool {
        self.random.random_range(0..1000) < self.workload.oddities
    }
}

/// A message to be written.
struct Draft {
    chat: String,
    number: usize,
    text: String,
    kind: MessageKind,
    has_photo: bool,
}

impl Draft {
    fn message(&self) -> Message {
        Message {
            name: format!("{}-{}", self.chat, self.number),
            kind: self.kind,
            bytes: self.text.len(),
        }
    }

    /// What our own channel is pushed.
    fn json(&self) -> Value {
        let mut message = text_message(&self.chat, "ada", &self.text);
        message["message_id"] = self.message().name.into();
        message
    }

    /// What Discord's Gateway tells of. Its identifier is unique as a part of its name is.
    fn gateway_message(&self) -> Value {
        let id = format!("{}{:05}", self.chat, self.number);
        discord::direct_message(&self.chat, &id, &self.text)
    }

    /// What Slack pushes.
    fn event(&self) -> Value {
        let time = format!("1767225600.{:06}", self.number);
        slack::direct_message(&self.chat, &time, &self.text)
    }

    /// What Telegram pushes.
    fn update(&self) -> Value {
        let chat = self.chat.parse().unwrap();
        let number = i64::try_from(self.number).unwrap();
        match self.kind {
            MessageKind::Reset => command_update(number, chat, number, &self.text),
            MessageKind::Question if self.has_photo => photo_update(number, chat, number, PHOTO, &self.text),
            MessageKind::Question | MessageKind::Hopeless => text_update(number, chat, number, &self.text),
        }
    }
}
