//! A whole pipeline and how its users meet it.

use std::collections::BTreeMap;

use bus::Bus;
use proto_schemas::dead_letter::Stage;
use proto_schemas::ids::{ConversationId, MessageId};
use serde_json::Value;
use testkit::backend::{FakeBackend, Recorded};
use testkit::callback::{self, CallbackReceiver, Received, text_message};
use testkit::client::client;
use testkit::collector::FakeCollector;
use testkit::condition::{PATIENCE, wait_until};
use testkit::discord::{self, FakeDiscord};
use testkit::files::FileHost;
use testkit::nats::NatsServer;
use testkit::process::Service;
use testkit::s3::FakeS3;
use testkit::slack::{self, FakeSlack, push_event};
use testkit::telegram::{FakeTelegram, SentMessage, push_update};
use tests::broker::{OBSERVER, connect, open_as};
use tests::fleet::{Environment, Fleet, environment};
use tests::secured::Secured;

use crate::manifest;

/// How a pipeline differs from the usual one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// Processes of each service.
    pub(crate) replicas: usize,
    /// Settings of the services besides the usual ones; they win.
    pub(crate) settings: &'static [(&'static str, &'static str)],
    /// Whether files are in S3, and not in the broker.
    pub(crate) files_in_s3: bool,
    /// Whether the broker speaks TLS and asks who one is, and each service is a user of its own.
    pub(crate) secured: bool,
    /// Whether spans are exported to the collector.
    pub(crate) traced: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            replicas: 1,
            settings: &[],
            files_in_s3: false,
            secured: false,
            traced: false,
        }
    }
}

/// The five services on a broker of their own, and all that lies outside.
pub(crate) struct Pipeline {
    // The services go before their broker, so that they do not log its end.
    fleet: Fleet,
    pub(crate) bus: Bus,
    pub(crate) nats: NatsServer,
    /// The keys of the broker's users, if it has any.
    pub(crate) secured: Option<Secured>,
    /// The webhook of all bots but those behind `SLOW` and `DEAD`.
    pub(crate) backend: FakeBackend,
    /// The webhook of the bot behind `SLOW`.
    pub(crate) slow_backend: FakeBackend,
    /// Where the replies of all HTTP connections go.
    pub(crate) callbacks: CallbackReceiver,
    pub(crate) telegram: FakeTelegram,
    pub(crate) slack: FakeSlack,
    pub(crate) discord: FakeDiscord,
    pub(crate) files: FileHost,
    pub(crate) s3: FakeS3,
    pub(crate) collector: FakeCollector,
}

/// What ingress says of a message that it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub(crate) message: MessageId,
    pub(crate) conversation: ConversationId,
}

impl Pipeline {
    /// Starts everything and waits until it is ready.
    pub(crate) async fn start(options: Options) -> Self {
        let secured = options.secured.then(Secured::new);
        let nats = match &secured {
            Some(secured) => secured.start().await,
            None => NatsServer::start().await,
        };
        let (backend, slow_backend) = (FakeBackend::start().await, FakeBackend::start().await);
        let callbacks = CallbackReceiver::start(&manifest::callback_secret()).await;
        let telegram = FakeTelegram::start(manifest::TELEGRAM_TOKEN).await;
        let slack = FakeSlack::start(manifest::SLACK_TOKEN).await;
        let discord = FakeDiscord::start(manifest::DISCORD_TOKEN).await;
        let (bus, url, own) = match &secured {
            Some(secured) => (
                secured.connect(&nats).await,
                Secured::url(&nats),
                secured.environments(),
            ),
            None => (connect(nats.url()).await, nats.url().to_owned(), BTreeMap::new()),
        };
        // Stored before the services start: what they have loaded when they are ready includes it.
        let manifest = manifest::manifest(&backend, &slow_backend, &callbacks, &telegram, &slack, &discord);
        manifest.store(&bus).await.unwrap();
        let s3 = FakeS3::start().await;
        let mut environment = environment(&url, options.settings);
        if options.files_in_s3 {
            environment.extend(s3.settings());
        }
        let collector = FakeCollector::start().await;
        if options.traced {
            environment.extend(collector.settings());
        }
        Self {
            fleet: Fleet::start_with(environment, own, options.replicas).await,
            bus,
            nats,
            secured,
            backend,
            slow_backend,
            callbacks,
            telegram,
            slack,
            discord,
            files: FileHost::start().await,
            s3,
            collector,
        }
    }

    /// Goes on at another broker that asks who one is and holds what the services need, when those of the first have ended.
    pub(crate) async fn go_on_at(&mut self, nats: NatsServer) {
        let url = Secured::url(&nats);
        let observer = self.secured.as_ref().unwrap().identity(OBSERVER);
        self.bus = open_as(&url, observer).await;
        self.fleet = self.fleet.start_at(&url).await;
        self.nats = nats;
    }

    /// Starts one more process of a service.
    pub(crate) async fn add_replica(&mut self, stage: Stage) {
        self.fleet.add_replica(stage).await;
    }

    /// Replaces the first process of a service by a new one with other settings besides.
    pub(crate) async fn replace(&mut self, stage: Stage, settings: Environment) {
        self.fleet.set(stage, settings);
        self.fleet.add_replica(stage).await;
        self.fleet.end_first(stage).await;
    }

    /// The processes of a service, in the order in which they were started.
    pub(crate) fn replicas(&self, stage: Stage) -> &[Service] {
        self.fleet.replicas(stage)
    }

    /// The first process of a service.
    pub(crate) fn service(&self, stage: Stage) -> &Service {
        &self.replicas(stage)[0]
    }

    /// Starts the first process of a service again, after its end, and waits until it is ready.
    pub(crate) async fn restart(&mut self, stage: Stage) {
        let service = self.fleet.replica_mut(stage, 0);
        service.restart().await;
        service.ready().await;
    }

    /// Where a process of ingress takes pushes.
    pub(crate) async fn ingress_url(&self, replica: usize) -> String {
        let address = self.replicas(Stage::Ingress)[replica].address("http").await;
        format!("http://{address}")
    }

    /// A user writes through an HTTP connection; ingress must accept it.
    pub(crate) async fn say(&self, connection: &str, chat: &str, text: &str) -> Receipt {
        self.say_at(0, connection, chat, text).await
    }

    /// As [`Pipeline::say`], at one of several processes of ingress.
    pub(crate) async fn say_at(&self, replica: usize, connection: &str, chat: &str, text: &str) -> Receipt {
        let message = text_message(chat, "ada", text);
        let (url, secret) = (self.ingress_url(replica).await, manifest::push_secret());
        let response = callback::push(&url, connection, &secret, &message).await;
        assert_eq!(response.status(), 202, "{text:?} is accepted");
        receipt(&response.bytes().await.unwrap())
    }

    /// A user's program pushes a message under an identity of its own; the status that it gets, and the
    /// receipt if there is one. None when ingress does not answer.
    pub(crate) async fn push(
        &self,
        connection: &str,
        id: &str,
        message: &Value,
    ) -> Option<(u16, Option<Receipt>)> {
        let (url, secret) = (self.ingress_url(0).await, manifest::push_secret());
        let response = callback::push_with_id(&url, connection, &secret, id, message)
            .await
            .ok()?;
        let status = response.status().as_u16();
        let body = response.bytes().await.ok()?;
        Some((status, (status == 202).then(|| receipt(&body))))
    }

    /// Telegram pushes an update; ingress must accept it. What it answers is a call that Telegram makes, if it is any.
    pub(crate) async fn update(&self, connection: &str, update: &Value) -> String {
        let url = format!("{}/v1/channels/{connection}/updates", self.ingress_url(0).await);
        let response = push_update(&url, manifest::TELEGRAM_SECRET, update)
            .await
            .unwrap();
        assert_eq!(response.status(), 200, "{update} is accepted");
        response.text().await.unwrap()
    }

    /// Slack pushes an event; ingress must accept it.
    pub(crate) async fn event(&self, connection: &str, event: &Value) {
        let url = format!("{}/v1/channels/{connection}/events", self.ingress_url(0).await);
        let response = push_event(&url, manifest::SLACK_SIGNING_SECRET, event)
            .await
            .unwrap();
        assert_eq!(response.status(), 200, "{event} is accepted");
    }

    /// Discord pushes an interaction; ingress must answer it with a callback of this type.
    pub(crate) async fn interaction(&self, connection: &str, interaction: &Value, answer: u64) {
        let url = format!(
            "{}/v1/channels/{connection}/interactions",
            self.ingress_url(0).await
        );
        let (status, body) = self.discord.interact(&url, interaction).await;
        assert_eq!(
            (status, body["type"].as_u64()),
            (200, Some(answer)),
            "{interaction}"
        );
    }

    /// The replies that a chat of an HTTP connection got so far.
    pub(crate) fn replies_now(&self, chat: &str) -> Vec<Received> {
        let replies = self.callbacks.received().into_iter();
        replies.filter(|reply| reply.conversation_id() == chat).collect()
    }

    /// The texts of a chat's replies, when there are at least `count`.
    pub(crate) async fn replies(&self, chat: &str, count: usize) -> Vec<String> {
        let what = format!("{count} replies to {chat}");
        wait_until(PATIENCE, &what, async || self.replies_now(chat).len() >= count).await;
        let replies = self.replies_now(chat);
        replies.iter().map(|reply| reply.text().to_owned()).collect()
    }

    /// What Telegram showed in a chat, when there are at least `count` messages.
    pub(crate) async fn telegram_messages(&self, chat_id: i64, count: usize) -> Vec<SentMessage> {
        let what = format!("{count} messages in Telegram's chat {chat_id}");
        wait_until(PATIENCE, &what, async || {
            self.telegram.sent_to(chat_id).len() >= count
        })
        .await;
        self.telegram.sent_to(chat_id)
    }

    /// What Slack showed in a channel, when there are at least `count` messages.
    pub(crate) async fn slack_messages(&self, channel: &str, count: usize) -> Vec<slack::SentMessage> {
        let what = format!("{count} messages in Slack's channel {channel}");
        wait_until(PATIENCE, &what, async || {
            self.slack.sent_to(channel).len() >= count
        })
        .await;
        self.slack.sent_to(channel)
    }

    /// What Discord showed in a channel, when there are at least `count` messages.
    pub(crate) async fn discord_messages(&self, channel: &str, count: usize) -> Vec<discord::SentMessage> {
        let what = format!("{count} messages in Discord's channel {channel}");
        wait_until(PATIENCE, &what, async || {
            self.discord.sent_to(channel).len() >= count
        })
        .await;
        self.discord.sent_to(channel)
    }

    /// The webhook calls about a chat so far.
    pub(crate) fn calls_of(&self, chat: &str) -> Vec<Recorded> {
        let about = |call: &Recorded| {
            call.request
                .as_ref()
                .is_some_and(|request| request.metadata.chat_id == chat)
        };
        self.backend.calls().into_iter().filter(about).collect()
    }

    /// A counter of a process, by its name and labels as they are shown.
    pub(crate) async fn count(service: &Service, series: &str) -> u64 {
        let metrics = Self::metrics(service).await;
        let mut values = metrics
            .lines()
            .filter_map(|line| line.strip_prefix(series)?.trim().parse().ok());
        values.next().unwrap_or(0)
    }

    /// What a process shows to a scraper.
    pub(crate) async fn metrics(service: &Service) -> String {
        let url = format!("http://{}/metrics", service.address("admin").await);
        client().get(url).send().await.unwrap().text().await.unwrap()
    }
}

/// What a chat shows of `echo`'s answer to the last of the texts when it was told all of them: channels send
/// no space at the end.
pub(crate) fn echoed(texts: &[&str]) -> String {
    let (last, earlier) = texts.split_last().unwrap();
    let answer = format!("{}: {last} | heard: {}", texts.len(), earlier.join(","));
    answer.trim_end().to_owned()
}

/// The answers to a conversation in which each text was answered before the next was asked.
pub(crate) fn echoed_one_by_one(texts: &[&str]) -> Vec<String> {
    (1..=texts.len()).map(|count| echoed(&texts[..count])).collect()
}

fn receipt(body: &[u8]) -> Receipt {
    let body: Value = serde_json::from_slice(body).unwrap();
    let text = |field: &str| body[field].as_str().unwrap().to_owned();
    Receipt {
        message: MessageId::new(text("id")).unwrap(),
        conversation: ConversationId::new(text("conversation_id")).unwrap(),
    }
}
