//! The whole platform with the console, and what lies outside: a webhook, and a receiver of replies.

use bus::Bus;
use proto_schemas::dead_letter::Stage;
use proto_schemas::ids::{ConversationId, MessageId};
use proto_schemas::subjects;
use proto_schemas::topology::TRANSCRIPTS;
use proto_schemas::transcript::Transcript;
use registry::Manifest;
use serde::Deserialize;
use serde_json::{Value, json};
use testkit::backend::FakeBackend;
use testkit::callback::{CallbackReceiver, new_secret, push, text_message};
use testkit::condition::{PATIENCE, wait_until};
use testkit::nats::NatsServer;
use testkit::process::Service;
use tests::broker::connect;
use tests::fleet::{Fleet, environment};
use tests::manifest::{bot, callback_secret, http, integration, push_secret};

/// What an operator shows the console.
pub(crate) const OPERATOR: &str = "an-operator-of-the-tests";
/// What a viewer shows it.
pub(crate) const VIEWER: &str = "a-viewer-of-the-tests";
/// The integration, the bot behind it, and its connection, which is of the channel HTTP.
pub(crate) const INTEGRATION: &str = "echo";
pub(crate) const BOT: &str = "demo";
pub(crate) const CONNECTION: &str = "web";

/// The variable that holds what signs the playground's messages.
pub(crate) const PLAYGROUND: &str = "PLAYGROUND_SECRET";

/// How the console is started, beside what every service is.
const CONSOLE: [(&str, &str); 4] = [
    ("CONSOLE_OPERATOR_TOKEN", "env:OPERATOR"),
    ("CONSOLE_VIEWER_TOKEN", "env:VIEWER"),
    ("CONSOLE_PLAYGROUND_SECRET", "env:PLAYGROUND_SECRET"),
    // A page may ask for much at once.
    ("CONSOLE_REQUESTS_PER_SECOND", "1000"),
];

/// What ingress answers.
#[derive(Deserialize)]
struct Receipt {
    id: MessageId,
    conversation_id: ConversationId,
}

/// All services as processes, on a broker of their own.
pub(crate) struct Platform {
    // The processes go before their broker, so that they do not log its end.
    console: Service,
    fleet: Fleet,
    /// The webhook of the bot.
    pub(crate) backend: FakeBackend,
    /// Where its replies go.
    pub(crate) callbacks: CallbackReceiver,
    /// The broker, as an observer.
    pub(crate) bus: Bus,
    nats: NatsServer,
}

impl Platform {
    /// Starts everything and waits until it is ready.
    pub(crate) async fn start() -> Self {
        Self::start_with(json!({})).await
    }

    /// The same, with these fields of the integration besides.
    pub(crate) async fn start_with(settings: Value) -> Self {
        let nats = NatsServer::start().await;
        let backend = FakeBackend::start().await;
        let callbacks = CallbackReceiver::start(&callback_secret()).await;
        let bus = connect(nats.url()).await;
        // Stored before the services start: what they have loaded when they are ready includes it.
        manifest(&backend, &callbacks, settings)
            .store(&bus)
            .await
            .unwrap();
        let mut env = environment(nats.url(), &[]);
        env.push((PLAYGROUND, new_secret("playground")));
        let fleet = Fleet::start(env, 1).await;
        let ingress = entrance(&fleet).await;
        Self {
            console: console(nats.url(), &ingress, OPERATOR).await,
            fleet,
            backend,
            callbacks,
            bus,
            nats,
        }
    }

    /// An address of the console; `path` begins with a slash.
    pub(crate) async fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.console.address("http").await)
    }

    /// One more console, whose operators show this.
    pub(crate) async fn console_with(&self, operator: &str) -> Service {
        console(self.nats.url(), &self.ingress().await, operator).await
    }

    /// Where platforms reach ingress.
    pub(crate) async fn ingress(&self) -> String {
        entrance(&self.fleet).await
    }

    /// A user writes in a chat; ingress must accept it. Gives the conversation's id.
    pub(crate) async fn say(&self, chat: &str, text: &str) -> String {
        self.push(&text_message(chat, "ada", text)).await
    }

    /// A message of the channel HTTP; ingress must accept it. Gives the conversation's id.
    pub(crate) async fn push(&self, message: &Value) -> String {
        self.pushed(message).await.conversation_id.to_string()
    }

    async fn pushed(&self, message: &Value) -> Receipt {
        let answer = push(&self.ingress().await, CONNECTION, &push_secret(), message).await;
        assert_eq!(answer.status(), 202, "{message} is accepted");
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    /// As [`Platform::say`], and waits until this chat has one reply more, and the transcript has the turn: that is written
    /// when the reply was sent.
    pub(crate) async fn ask(&self, chat: &str, text: &str) -> String {
        let before = self.replies(chat);
        let Receipt { id, conversation_id } = self.pushed(&text_message(chat, "ada", text)).await;
        wait_until(PATIENCE, &format!("the answer to {text:?}"), async || {
            self.replies(chat) > before
        })
        .await;
        let subject = subjects::transcript(&conversation_id);
        wait_until(PATIENCE, &format!("{text:?} in the transcript"), async || {
            let last = self.bus.last(TRANSCRIPTS.name, &subject).await.unwrap();
            last.is_some_and(|turn| turn.decode::<Transcript>().unwrap().answers.contains(&id))
        })
        .await;
        conversation_id.to_string()
    }

    /// How many replies a chat has.
    pub(crate) fn replies(&self, chat: &str) -> usize {
        let received = self.callbacks.received().into_iter();
        received.filter(|reply| reply.conversation_id() == chat).count()
    }
}

fn manifest(backend: &FakeBackend, callbacks: &CallbackReceiver, settings: Value) -> Manifest {
    let manifest = json!({
        "integrations": [integration(INTEGRATION, &backend.url(), settings)],
        "bots": [bot(BOT, INTEGRATION, "queue", json!({}))],
        "connections": [http(CONNECTION, BOT, &callbacks.url())],
    });
    serde_json::from_value(manifest).unwrap()
}

async fn entrance(fleet: &Fleet) -> String {
    let ingress = &fleet.replicas(Stage::Ingress)[0];
    format!("http://{}", ingress.address("http").await)
}

async fn console(nats_url: &str, ingress: &str, operator: &str) -> Service {
    let mut env = environment(nats_url, &CONSOLE);
    env.extend([
        ("OPERATOR", operator.to_owned()),
        ("VIEWER", VIEWER.to_owned()),
        (PLAYGROUND, new_secret("playground")),
        ("INGRESS_URL", ingress.to_owned()),
        ("INGRESS_PUBLIC_URL", ingress.to_owned()),
    ]);
    let console = Service::start("console", &env).await;
    console.ready().await;
    console
}
