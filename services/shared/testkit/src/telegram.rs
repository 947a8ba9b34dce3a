//! A Bot API server with the behaviour that matters to a sender (`channels.md`, sections 2.4 to 2.6), and what
//! Telegram would push (section 2.1).

mod api;
mod chats;
mod entities;
mod request;
mod update;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use serde_json::Value;

pub use self::api::{MAX_CAPTION, MAX_DOCUMENT_BYTES, MAX_DOWNLOAD_BYTES, MAX_PHOTO_BYTES, MAX_TEXT};
use self::chats::{Chats, Failure};
pub use self::chats::{SentFile, SentMessage};
use self::request::Call;
pub use self::update::{
    Document, command_update, document_update, in_album, photo_update, press_update, push_update, text_update,
};
use crate::backend::Scripted;
use crate::condition::{PATIENCE, wait_until};
use crate::count::Count;
use crate::gate::{Doorway, Gate};
use crate::server::Server;

/// A Bot API server for one bot.
#[derive(Debug)]
pub struct FakeTelegram {
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    token: String,
    chats: Mutex<Chats>,
    doorway: Doorway,
    /// How many messages were sent.
    count: Count,
}

impl FakeTelegram {
    /// Starts a server on a free port that knows only `token`; any other is answered with 401.
    pub async fn start(token: &str) -> Self {
        let shared = Arc::new(Shared {
            token: token.to_owned(),
            chats: Mutex::default(),
            doorway: Doorway::default(),
            count: Count::default(),
        });
        let router = Router::new().fallback(answer).with_state(shared.clone());
        Self {
            server: Server::start(router).await,
            shared,
        }
    }

    /// What takes the place of the hosted server's address.
    pub fn api_base(&self) -> String {
        self.server.base_url()
    }

    /// Everything that was sent, in order.
    pub fn sent(&self) -> Vec<SentMessage> {
        self.chats().sent.clone()
    }

    /// What was sent to one chat, in order.
    pub fn sent_to(&self, chat_id: i64) -> Vec<SentMessage> {
        self.sent()
            .into_iter()
            .filter(|message| message.chat_id == chat_id)
            .collect()
    }

    /// What was sent after the first `seen` messages, when there is any.
    pub async fn sent_after(&self, seen: usize) -> Vec<SentMessage> {
        self.shared.count.more_than(seen).await;
        self.chats().sent[seen..].to_vec()
    }

    /// Waits until at least `count` messages were sent, and returns all.
    ///
    /// # Panics
    /// When they do not come in time.
    pub async fn wait_for_sent(&self, count: usize) -> Vec<SentMessage> {
        let what = format!("{count} Telegram messages");
        wait_until(PATIENCE, &what, async || self.chats().sent.len() >= count).await;
        self.sent()
    }

    /// How often a method was called, whatever the answer.
    pub fn calls(&self, method: &str) -> usize {
        self.chats()
            .calls
            .iter()
            .filter(|called| called.eq_ignore_ascii_case(method))
            .count()
    }

    /// Answers the next call of `method` (`file` for a download) with this error; several calls of this
    /// queue up.
    pub fn fail_next(&self, method: &str, status: u16, description: &str, parameters: Option<Value>) {
        let failure = Failure::Answer {
            status,
            description: description.to_owned(),
            parameters,
        };
        self.chats().fail_next(method, failure);
    }

    /// Does what the next call of `method` asks, and closes the connection instead of answering.
    pub fn lose_next_answer(&self, method: &str) {
        self.chats().fail_next(method, Failure::LoseAnswer);
    }

    /// Holds back the answers to calls that come from now on. What they send is recorded at once: who is
    /// killed meanwhile has sent without knowing it.
    pub fn hold(&self) -> Gate {
        self.shared.doorway.close()
    }

    /// Takes at most `messages` to one chat within `per`, and answers 429 beyond.
    pub fn limit_each_chat(&self, messages: usize, per: Duration) {
        self.chats().rate = Some((messages, per));
    }

    /// Takes whatever comes again.
    pub fn lift_limit(&self) {
        self.chats().rate = None;
    }

    /// The user blocks the bot: 403 for everything sent to the chat.
    pub fn block_chat(&self, chat_id: i64) {
        self.chats().blocked.insert(chat_id);
    }

    /// The user unblocks the bot.
    pub fn unblock_chat(&self, chat_id: i64) {
        self.chats().blocked.remove(&chat_id);
    }

    /// Makes a file of a user available to `getFile` under `file_id`.
    pub fn add_file(&self, file_id: &str, bytes: impl Into<Bytes>) {
        self.chats().files.insert(file_id.to_owned(), bytes.into());
    }

    /// The last `setWebhook` call's parameters.
    pub fn webhook(&self) -> Option<Value> {
        self.chats().webhook.clone()
    }

    fn chats(&self) -> std::sync::MutexGuard<'_, Chats> {
        self.shared.chats.lock().unwrap()
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let call = match Call::read(request).await {
        Ok(call) => call,
        Err(error) => return error.answer().play().await,
    };
    let script = respond(&shared, call);
    shared.count.reach(shared.chats.lock().unwrap().sent.len());
    shared.doorway.pass().await;
    script.play().await
}

fn respond(shared: &Shared, call: Call) -> Scripted {
    if call.token != shared.token {
        return api::ApiError::new(401, "Unauthorized").answer();
    }
    let mut chats = shared.chats.lock().unwrap();
    chats.calls.push(call.method.clone());
    match chats.next_failure(&call.method) {
        None => api::respond(&mut chats, call),
        Some(Failure::Answer {
            status,
            description,
            parameters,
        }) => api::ApiError {
            status,
            description,
            parameters,
        }
        .answer(),
        Some(Failure::LoseAnswer) => {
            api::respond(&mut chats, call);
            Scripted::Disconnect
        }
    }
}
