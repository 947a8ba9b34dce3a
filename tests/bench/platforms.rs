//! The chat platforms, one fake for each bot: they push what users write and tell the ledger what bots say.

use std::io::Result;
use std::net::SocketAddr;
use std::rc::Rc;

use futures_util::future::{LocalBoxFuture, join_all};
use serde_json::Value;
use testkit::discord::{self, FakeDiscord, push_interaction};
use testkit::slack::{self, FakeSlack, push_event};
use testkit::telegram::{FakeTelegram, push_update, text_update};
use tests::manifest::{
    DISCORD_TOKEN, SLACK_SIGNING_SECRET, SLACK_TOKEN, TELEGRAM_SECRET, TELEGRAM_TOKEN, discord_app,
    slack_app, telegram_bot,
};
use tokio::task::{AbortHandle, spawn_local};

use crate::door::Door;
use crate::ledger::Ledger;
use crate::pipeline::{bot, connection};
use crate::token::Token;

/// Chats of Telegram and channels of Discord are numbers; below these no fake has others.
const FIRST_CHAT: usize = 1_000_000;

/// Which platform.
#[derive(Debug, Clone, Copy)]
pub(crate) enum PlatformKind {
    /// Updates and `sendMessage`.
    Telegram,
    /// Events of direct messages and `chat.postMessage`.
    Slack,
    /// Commands, whose replies take the place of what says that the bot is thinking.
    Discord,
}

/// The servers of one platform.
pub(crate) struct Platform {
    servers: Vec<Server>,
    watching: Vec<AbortHandle>,
}

#[derive(Clone)]
enum Server {
    Telegram(Rc<FakeTelegram>),
    Slack(Rc<FakeSlack>),
    Discord(Rc<FakeDiscord>),
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.watching.iter().for_each(AbortHandle::abort);
    }
}

impl PlatformKind {
    /// All platforms.
    pub(crate) const ALL: [Self; 3] = [Self::Telegram, Self::Slack, Self::Discord];

    /// What it is called in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Telegram => "telegram",
            Self::Slack => "slack",
            Self::Discord => "discord",
        }
    }

    async fn serve(self) -> Server {
        match self {
            Self::Telegram => Server::Telegram(Rc::new(FakeTelegram::start(TELEGRAM_TOKEN).await)),
            Self::Slack => Server::Slack(Rc::new(FakeSlack::start(SLACK_TOKEN).await)),
            Self::Discord => Server::Discord(Rc::new(FakeDiscord::start(DISCORD_TOKEN).await)),
        }
    }
}

impl Platform {
    /// Starts a server for each of so many bots.
    pub(crate) async fn start(kind: PlatformKind, bots: usize, ledger: &Rc<Ledger>) -> Self {
        let servers = join_all((0..bots).map(async |_| kind.serve().await)).await;
        let watch = |server: &Server| spawn_local(server.clone().tell(Rc::clone(ledger))).abort_handle();
        Self {
            watching: servers.iter().map(watch).collect(),
            servers,
        }
    }

    /// The connection of a bot.
    pub(crate) fn connection(&self, number: usize) -> Value {
        let (id, bot) = (connection(number), bot(number));
        match &self.servers[number] {
            Server::Telegram(fake) => telegram_bot(&id, &bot, &fake.api_base()),
            Server::Slack(fake) => slack_app(&id, &bot, &fake.api_base()),
            Server::Discord(fake) => discord_app(&id, &bot, &fake.api_base()),
        }
    }

    /// What pushes to ingress at an address.
    pub(crate) fn door(&self, ingress: SocketAddr) -> PlatformDoor {
        PlatformDoor {
            servers: self.servers.clone(),
            ingress,
        }
    }
}

impl Server {
    /// Tells of everything that is sent. Ends only when dropped.
    async fn tell(self, ledger: Rc<Ledger>) {
        let mut seen = 0;
        loop {
            let texts: Vec<String> = match &self {
                Self::Telegram(fake) => {
                    let sent = fake.sent_after(seen).await.into_iter();
                    sent.map(|message| message.text).collect()
                }
                Self::Slack(fake) => {
                    let sent = fake.sent_after(seen).await.into_iter();
                    sent.map(|message| message.text).collect()
                }
                Self::Discord(fake) => {
                    let sent = fake.sent_after(seen).await.into_iter();
                    sent.map(|message| message.payload["content"].to_string())
                        .collect()
                }
            };
            seen += texts.len();
            for text in texts {
                ledger.reply(Token::find_last(text.as_bytes()));
            }
        }
    }
}

/// Pushes as the platform does, with its signatures.
pub(crate) struct PlatformDoor {
    servers: Vec<Server>,
    ingress: SocketAddr,
}

impl Door for PlatformDoor {
    fn push(&self, token: Token, text: String) -> LocalBoxFuture<'_, Result<u16>> {
        let number = token.conversation % self.servers.len();
        let url = format!("http://{}/v1/channels/{}", self.ingress, connection(number));
        let chat = FIRST_CHAT + token.conversation;
        Box::pin(async move {
            let answer = match &self.servers[number] {
                Server::Telegram(_) => {
                    let chat = i64::try_from(chat).map_err(std::io::Error::other)?;
                    let message = i64::from(token.number);
                    let update = text_update(message, chat, message, &text);
                    push_update(&format!("{url}/updates"), TELEGRAM_SECRET, &update).await
                }
                Server::Slack(_) => {
                    let time = format!("1767225600.{:06}", token.number);
                    let event = slack::direct_message(&format!("D{chat}"), &time, &text);
                    push_event(&format!("{url}/events"), SLACK_SIGNING_SECRET, &event).await
                }
                Server::Discord(fake) => {
                    let (chat, id) = (chat.to_string(), format!("{chat}{:07}", token.number));
                    let asked = discord::command(&chat, &id, &id, "ask", &[("prompt", &text)]);
                    // Its reply may come before the answer to the push was read.
                    fake.think(&id, &chat);
                    push_interaction(&format!("{url}/interactions"), &asked).await
                }
            };
            Ok(answer.map_err(std::io::Error::other)?.status().as_u16())
        })
    }
}
