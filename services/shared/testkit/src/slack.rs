//! Slack's Web API with the behaviour that matters to a sender (`channels.md`, sections 3.4 to 3.6), and what Slack
//! would push (sections 3.1 and 3.2).

mod api;
mod event;
mod request;
mod workspace;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;

pub use self::api::{MAX_TEXT, UPLOAD};
pub use self::event::{
    channel_message, command, direct_message, in_thread, mention_of, press, push_event, push_form,
    verification, with_file,
};
use self::request::Call;
use self::workspace::{Failure, Workspace};
pub use self::workspace::{SentFile, SentMessage};

use crate::backend::Scripted;
use crate::condition::{PATIENCE, wait_until};
use crate::count::Count;
use crate::gate::{Doorway, Gate};
use crate::server::Server;

/// The Web API and the files of one workspace, for one bot.
#[derive(Debug)]
pub struct FakeSlack {
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    token: String,
    workspace: Mutex<Workspace>,
    doorway: Doorway,
    /// How many messages were sent.
    count: Count,
}

impl FakeSlack {
    /// Starts a server on a free port that knows only `token`; any other is answered with `invalid_auth`.
    pub async fn start(token: &str) -> Self {
        let shared = Arc::new(Shared {
            token: token.to_owned(),
            workspace: Mutex::default(),
            doorway: Doorway::default(),
            count: Count::default(),
        });
        let router = Router::new().fallback(answer).with_state(shared.clone());
        Self {
            server: Server::start(router).await,
            shared,
        }
    }

    /// What takes the place of `https://slack.com/api`.
    pub fn api_base(&self) -> String {
        format!("{}/api", self.server.base_url())
    }

    /// Everything that was sent, in order. A file is a message of its own.
    pub fn sent(&self) -> Vec<SentMessage> {
        self.workspace().sent.clone()
    }

    /// What was sent to one channel, in order.
    pub fn sent_to(&self, channel: &str) -> Vec<SentMessage> {
        let sent = self.sent().into_iter();
        sent.filter(|message| message.channel == channel).collect()
    }

    /// Waits until more than `seen` messages were sent, and returns those behind them.
    pub async fn sent_after(&self, seen: usize) -> Vec<SentMessage> {
        self.shared.count.more_than(seen).await;
        self.workspace().sent[seen..].to_vec()
    }

    /// Waits until at least `count` messages were sent, and returns all.
    ///
    /// # Panics
    /// When they do not come in time.
    pub async fn wait_for_sent(&self, count: usize) -> Vec<SentMessage> {
        let what = format!("{count} Slack messages");
        wait_until(PATIENCE, &what, async || self.workspace().sent.len() >= count).await;
        self.sent()
    }

    /// How often a method was called, whatever the answer; [`UPLOAD`] for the bytes of a file, `file` for a download.
    pub fn calls(&self, method: &str) -> usize {
        let workspace = self.workspace();
        workspace.calls.iter().filter(|called| *called == method).count()
    }

    /// Refuses the next call of `method` with `error`, under HTTP 200 as Slack does; several calls of this queue up.
    pub fn fail_next(&self, method: &str, error: &str) {
        let failure = Failure::Refuse {
            error: error.to_owned(),
        };
        self.workspace().fail_next(method, failure);
    }

    /// Answers the next call of `method`, [`UPLOAD`] or `file` with this status.
    pub fn fail_next_with_status(&self, method: &str, status: u16) {
        self.workspace().fail_next(method, Failure::Status { status });
    }

    /// Answers the next call of `method` with 429 and this pause.
    pub fn limit_next(&self, method: &str, seconds: u64) {
        self.workspace().fail_next(method, Failure::Limit { seconds });
    }

    /// Does what the next call of `method` asks, and closes the connection instead of answering.
    pub fn lose_next_answer(&self, method: &str) {
        self.workspace().fail_next(method, Failure::LoseAnswer);
    }

    /// Holds back the answers to calls that come from now on. What they send is recorded at once: who is killed
    /// meanwhile has sent without knowing it.
    pub fn hold(&self) -> Gate {
        self.shared.doorway.close()
    }

    /// Takes at most `messages` to one channel within `per`, and answers 429 beyond.
    pub fn limit_each_channel(&self, messages: usize, per: Duration) {
        self.workspace().rate = Some((messages, per));
    }

    /// Takes whatever comes again.
    pub fn lift_limit(&self) {
        self.workspace().rate = None;
    }

    /// Refuses everything that is sent to the channel with `error`, as `is_archived` or `not_in_channel`.
    pub fn close_channel(&self, channel: &str, error: &str) {
        self.workspace()
            .closed
            .insert(channel.to_owned(), error.to_owned());
    }

    /// Takes messages to the channel again.
    pub fn open_channel(&self, channel: &str) {
        self.workspace().closed.remove(channel);
    }

    /// Makes a file of a user known to `files.info`; its private address needs the token, and shows everybody else a
    /// page to sign in at.
    pub fn add_file(&self, file_id: &str, mimetype: &str, bytes: impl Into<Bytes>) {
        let file = (mimetype.to_owned(), bytes.into());
        self.workspace().files.insert(file_id.to_owned(), file);
    }

    /// Shows the page to sign in at to everybody, as to a token that may not see files.
    pub fn hide_files(&self) {
        self.workspace().files_are_hidden = true;
    }

    fn workspace(&self) -> MutexGuard<'_, Workspace> {
        self.shared.workspace.lock().unwrap()
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let call = Call::read(request).await;
    let script = respond(&shared, call);
    let sent = shared.workspace.lock().unwrap().sent.len();
    shared.count.reach(sent);
    shared.doorway.pass().await;
    script.play().await
}

fn respond(shared: &Shared, call: Call) -> Scripted {
    let mut workspace = shared.workspace.lock().unwrap();
    workspace.calls.push(call.method.clone());
    let may = call.may(&shared.token);
    match workspace.next_failure(&call.method) {
        None => api::respond(&mut workspace, may, call),
        Some(Failure::Refuse { error }) => api::refuse(&error),
        Some(Failure::Status { status }) => api::status(status, Vec::new(), ""),
        Some(Failure::Limit { seconds }) => api::limit(seconds),
        Some(Failure::LoseAnswer) => {
            api::respond(&mut workspace, may, call);
            Scripted::Disconnect
        }
    }
}
