//! The fake itself: one application with its bot.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use serde_json::Value;

use super::api;
use super::channels::{Channels, Failure, Interaction, Original, SentMessage};
use super::interaction::{expiring, push_interaction};
use super::request::{Call, Endpoint, addressed};
use crate::backend::Scripted;
use crate::condition::{PATIENCE, wait_until};
use crate::count::Count;
use crate::gate::{Doorway, Gate};
use crate::server::Server;

/// The REST API and the files of Discord, for one bot.
#[derive(Debug)]
pub struct FakeDiscord {
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    token: String,
    channels: Mutex<Channels>,
    doorway: Doorway,
    /// How many messages there are.
    count: Count,
}

impl FakeDiscord {
    /// Starts a server on a free port that knows only `token`; any other is answered with 401.
    pub async fn start(token: &str) -> Self {
        let shared = Arc::new(Shared {
            token: token.to_owned(),
            channels: Mutex::default(),
            doorway: Doorway::default(),
            count: Count::default(),
        });
        let router = Router::new().fallback(answer).with_state(shared.clone());
        Self {
            server: Server::start(router).await,
            shared,
        }
    }

    /// What takes the place of `https://discord.com/api/v10`.
    pub fn api_base(&self) -> String {
        format!("{}/api/v10", self.server.base_url())
    }

    /// Pushes an interaction to `url` and does what the answer says: the user sees that the bot is thinking (type 5), or
    /// nothing new (type 6), and the way back is open. Returns the status and the body.
    ///
    /// # Panics
    /// When `url` cannot be reached.
    pub async fn interact(&self, url: &str, interaction: &Value) -> (u16, Value) {
        let response = push_interaction(url, interaction).await.unwrap();
        let status = response.status().as_u16();
        let body = response.bytes().await.unwrap();
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        let text = |member: &str| interaction[member].as_str().unwrap_or_default();
        let original = match answer["type"].as_u64() {
            Some(5) => Some(Original::Thinking),
            Some(6) => interaction["message"]["id"]
                .as_str()
                .map(|id| Original::Message(id.to_owned())),
            _ => None,
        };
        if let Some(original) = original {
            self.open(text("token"), text("channel_id"), original);
        }
        (status, answer)
    }

    /// Opens the way back of an interaction in a channel whose user sees that the bot is thinking.
    pub fn think(&self, token: &str, channel: &str) {
        self.open(token, channel, Original::Thinking);
    }

    /// Opens the way back of a pressed button under the message `id`.
    pub fn pressed(&self, token: &str, channel: &str, id: &str) {
        self.open(token, channel, Original::Message(id.to_owned()));
    }

    /// Whether the user still sees that the bot is thinking.
    pub fn is_thinking(&self, token: &str) -> bool {
        let channels = self.channels();
        let interaction = channels.interactions.get(token);
        interaction.is_some_and(|interaction| interaction.original == Original::Thinking)
    }

    /// Closes the way back of an interaction, as after fifteen minutes.
    ///
    /// # Panics
    /// When there is no such interaction.
    pub fn expire(&self, token: &str) {
        self.channels().interactions.get_mut(token).unwrap().is_open = false;
    }

    /// Everything that was sent, in order. A file is a message of its own.
    pub fn sent(&self) -> Vec<SentMessage> {
        self.channels().sent.clone()
    }

    /// What was sent to one channel, in order.
    pub fn sent_to(&self, channel: &str) -> Vec<SentMessage> {
        let sent = self.sent().into_iter();
        sent.filter(|message| message.channel == channel).collect()
    }

    /// Waits until more than `seen` messages were sent, and returns those behind them.
    pub async fn sent_after(&self, seen: usize) -> Vec<SentMessage> {
        self.shared.count.more_than(seen).await;
        self.channels().sent[seen..].to_vec()
    }

    /// Waits until at least `count` messages were sent, and returns all.
    ///
    /// # Panics
    /// When they do not come in time.
    pub async fn wait_for_sent(&self, count: usize) -> Vec<SentMessage> {
        let what = format!("{count} Discord messages");
        wait_until(PATIENCE, &what, async || self.channels().sent.len() >= count).await;
        self.sent()
    }

    /// How often an endpoint was called, whatever the answer.
    pub fn calls(&self, endpoint: Endpoint) -> usize {
        let channels = self.channels();
        channels
            .calls
            .iter()
            .filter(|called| **called == endpoint)
            .count()
    }

    /// Refuses the next call of an endpoint; several calls of this queue up.
    pub fn fail_next(&self, endpoint: Endpoint, status: u16, code: u64) {
        self.channels()
            .fail_next(endpoint, Failure::Refuse { status, code });
    }

    /// Answers the next call of an endpoint with a page, as Cloudflare does.
    pub fn show_page_next(&self, endpoint: Endpoint, status: u16, retry_after: Option<u64>) {
        let page = Failure::Page { status, retry_after };
        self.channels().fail_next(endpoint, page);
    }

    /// Answers the next call of an endpoint with 429 and this pause, in seconds.
    pub fn limit_next(&self, endpoint: Endpoint, seconds: f64, is_global: bool) {
        self.channels()
            .fail_next(endpoint, Failure::Limit { seconds, is_global });
    }

    /// Does what the next call of an endpoint asks, and closes the connection instead of answering.
    pub fn lose_next_answer(&self, endpoint: Endpoint) {
        self.channels().fail_next(endpoint, Failure::LoseAnswer);
    }

    /// Closes the connection of the next call of an endpoint while its body comes.
    pub fn break_off_next(&self, endpoint: Endpoint) {
        self.channels().fail_next(endpoint, Failure::BreakOff);
    }

    /// Holds back the answers to calls that come from now on. What they send is recorded at once: who is killed
    /// meanwhile has sent without knowing it.
    pub fn hold(&self) -> Gate {
        self.shared.doorway.close()
    }

    /// Takes at most `messages` to one channel within `per`, and answers 429 beyond.
    pub fn limit_each_channel(&self, messages: usize, per: Duration) {
        self.channels().channel_rate = Some((messages, per));
    }

    /// Takes at most `messages` to all channels within `per`, and answers 429 beyond. Interactions do not count.
    pub fn limit_all_channels(&self, messages: usize, per: Duration) {
        self.channels().global_rate = Some((messages, per));
    }

    /// Refuses everything that the bot sends to the channel, with this status and code.
    pub fn close_channel(&self, channel: &str, status: u16, code: u64) {
        self.channels().closed.insert(channel.to_owned(), (status, code));
    }

    /// Keeps a file of a user; returns its address, which is good for a day and asks for no token.
    pub fn add_file(&self, name: &str, mime_type: &str, bytes: impl Into<Bytes>) -> String {
        let file = (mime_type.to_owned(), bytes.into());
        self.channels().files.insert(name.to_owned(), file);
        expiring(&format!("{}/attachments/{name}", self.server.base_url()))
    }

    fn open(&self, token: &str, channel: &str, original: Original) {
        let interaction = Interaction {
            channel: channel.to_owned(),
            is_open: true,
            original,
        };
        self.channels().interactions.insert(token.to_owned(), interaction);
    }

    fn channels(&self) -> MutexGuard<'_, Channels> {
        self.shared.channels.lock().unwrap()
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (endpoint, _) = addressed(&request);
    let failure = {
        let mut channels = shared.channels.lock().unwrap();
        channels.calls.push(endpoint);
        channels.next_failure(endpoint)
    };
    if matches!(failure, Some(Failure::BreakOff)) {
        return Scripted::Disconnect.play().await;
    }
    let call = Call::read(request).await;
    let script = respond(&shared, failure, call);
    let sent = shared.channels.lock().unwrap().sent.len();
    shared.count.reach(sent);
    shared.doorway.pass().await;
    script.play().await
}

fn respond(shared: &Shared, failure: Option<Failure>, call: Call) -> Scripted {
    let mut channels = shared.channels.lock().unwrap();
    match failure {
        None => api::respond(&mut channels, &shared.token, call),
        Some(Failure::Refuse { status, code }) => api::refuse((status, code)),
        Some(Failure::Page { status, retry_after }) => api::page(status, retry_after),
        Some(Failure::Limit { seconds, is_global }) => {
            api::limit(Duration::from_secs_f64(seconds), is_global)
        }
        Some(Failure::LoseAnswer) => {
            api::respond(&mut channels, &shared.token, call);
            Scripted::Disconnect
        }
        Some(Failure::BreakOff) => Scripted::Disconnect,
    }
}
