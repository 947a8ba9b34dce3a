//! Where everything that is seen is written down, conversation by conversation.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use testkit::callback::CallbackReceiver;
use testkit::discord::FakeDiscord;
use testkit::slack::FakeSlack;
use testkit::telegram::FakeTelegram;
use tests::manifest::{ERROR_MESSAGE, RESET_MESSAGE};
use tokio::sync::watch;

use crate::backend::name_of;
use crate::history::{Disturbance, Event, History, Shown, ShownKind, What};
use crate::plan::Fault;

/// All conversations of a run, and what was broken meanwhile.
#[derive(Debug)]
pub(crate) struct Ledger {
    began: Instant,
    conversations: Mutex<BTreeMap<String, Arc<Conversation>>>,
    disturbances: Mutex<Vec<Disturbance>>,
    /// What no conversation explains.
    strangers: Mutex<Vec<String>>,
}

/// A conversation that is being written down. Who waits for something in it subscribes.
type Conversation = watch::Sender<History>;

impl Ledger {
    /// An empty ledger; its time begins now.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            conversations: Mutex::default(),
            disturbances: Mutex::default(),
            strangers: Mutex::default(),
        })
    }

    /// The time since the beginning.
    pub(crate) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Opens a conversation in a chat that had none.
    pub(crate) fn open(&self, chat: &str, coalesces: bool) -> Arc<watch::Sender<History>> {
        let conversation = Arc::new(watch::Sender::new(History {
            chat: chat.to_owned(),
            coalesces,
            events: Vec::new(),
        }));
        let mut conversations = self.conversations.lock().unwrap();
        let before = conversations.insert(chat.to_owned(), Arc::clone(&conversation));
        assert!(before.is_none(), "{chat} is opened twice");
        conversation
    }

    /// Writes down what was seen in a chat now.
    pub(crate) fn record(&self, chat: &str, what: What) {
        let conversation = self.conversations.lock().unwrap().get(chat).cloned();
        match conversation {
            Some(conversation) => {
                let at = self.now();
                conversation.send_modify(|history| history.events.push(Event { at, what }));
            }
            None => self.strange(format!("in {chat}, where nobody wrote: {what}")),
        }
    }

    /// Writes down what must not be, and belongs to no conversation.
    pub(crate) fn strange(&self, what: String) {
        self.strangers.lock().unwrap().push(what);
    }

    /// Writes down that something is being broken. It is so for ever, unless it is mended.
    pub(crate) fn broken(&self, what: Fault) {
        let disturbance = Disturbance {
            from: self.now(),
            to: Duration::MAX,
            what,
        };
        self.disturbances.lock().unwrap().push(disturbance);
    }

    /// Writes down that something has been mended.
    pub(crate) fn mended(&self, what: Fault) {
        let mut disturbances = self.disturbances.lock().unwrap();
        let mut latest = disturbances.iter_mut().rev();
        if let Some(disturbance) = latest.find(|disturbance| disturbance.what == what) {
            disturbance.to = self.now();
        }
    }

    /// All conversations so far.
    pub(crate) fn histories(&self) -> Vec<History> {
        let conversations = self.conversations.lock().unwrap();
        conversations
            .values()
            .map(|history| history.borrow().clone())
            .collect()
    }

    /// How much of what chats showed has been written down.
    pub(crate) fn shown(&self) -> usize {
        let conversations = self.conversations.lock().unwrap();
        conversations
            .values()
            .map(|history| history.borrow().shown().count())
            .sum()
    }

    /// What was broken so far.
    pub(crate) fn disturbances(&self) -> Vec<Disturbance> {
        self.disturbances.lock().unwrap().clone()
    }

    /// What no conversation explains.
    pub(crate) fn strangers(&self) -> Vec<String> {
        self.strangers.lock().unwrap().clone()
    }

    /// Writes down what the HTTP channel receives, for as long as it is polled.
    pub(crate) async fn watch_callbacks(&self, callbacks: &CallbackReceiver) {
        let mut seen = 0;
        loop {
            for received in callbacks.attempts_after(seen).await {
                seen += 1;
                // What it refused it has not shown.
                if received.status >= 300 {
                    continue;
                }
                let kind = match received.body["type"].as_str() {
                    Some("failure") => ShownKind::Failure,
                    Some("reset") => ShownKind::Reset,
                    Some(_) | None => ShownKind::Reply,
                };
                let shown = Shown {
                    kind,
                    id: Some(received.id.clone()),
                    to: received.body["in_reply_to"].as_str().map(str::to_owned),
                    text: received.text().to_owned(),
                };
                self.record(received.conversation_id(), What::Shown(shown));
            }
        }
    }

    /// Writes down what Slack shows, for as long as it is polled. A reply says itself which message it answers.
    pub(crate) async fn watch_slack(&self, slack: &FakeSlack) {
        let mut seen = 0;
        loop {
            for sent in slack.sent_after(seen).await {
                seen += 1;
                let mut words = sent.text.split_whitespace().skip(1);
                let answers = words.next() == Some("answers");
                let shown = Shown {
                    kind: ShownKind::Reply,
                    id: sent.client_msg_id,
                    to: words.next().filter(|_| answers).map(str::to_owned),
                    text: sent.text.clone(),
                };
                self.record(&sent.channel, What::Shown(shown));
            }
        }
    }

    /// Writes down what Discord shows, for as long as it is polled.
    pub(crate) async fn watch_discord(&self, discord: &FakeDiscord) {
        let mut seen = 0;
        loop {
            for sent in discord.sent_after(seen).await {
                seen += 1;
                let nonce = sent.payload["nonce"].as_str();
                let to = sent.payload["message_reference"]["message_id"].as_str();
                let shown = Shown {
                    kind: kind_of(&sent.text),
                    id: nonce.map(str::to_owned),
                    to: to.map(|message| name_of(&sent.channel, message)),
                    text: sent.text.clone(),
                };
                self.record(&sent.channel, What::Shown(shown));
            }
        }
    }

    /// Writes down what Telegram shows, for as long as it is polled.
    pub(crate) async fn watch_telegram(&self, telegram: &FakeTelegram) {
        let mut seen = 0;
        loop {
            for sent in telegram.sent_after(seen).await {
                seen += 1;
                let kind = kind_of(&sent.text);
                let chat = sent.chat_id.to_string();
                let shown = Shown {
                    kind,
                    id: None,
                    to: sent.reply_to.map(|message| format!("{chat}-{message}")),
                    text: sent.text,
                };
                self.record(&chat, What::Shown(shown));
            }
        }
    }
}

/// What a message is, where nothing but its text says so.
fn kind_of(text: &str) -> ShownKind {
    match text {
        ERROR_MESSAGE => ShownKind::Failure,
        RESET_MESSAGE => ShownKind::Reset,
        _ => ShownKind::Reply,
    }
}
