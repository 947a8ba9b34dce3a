//! A broker, a Telegram, a Slack, a Discord, a host of files, a connection of each channel, and the service in this process.

use std::net::SocketAddr;
use std::path::Path;

use attachment_fetcher::AttachmentFetcher;
use bus::{Bus, BusConfig, OnDifference, Outgoing, TraceContext};
use files::Files;
use proto_schemas::content::{FileLocation, FileSource, IncomingFile, StoredFile};
use proto_schemas::dead_letter::DeadLetter;
use proto_schemas::fetch::Fetch;
use proto_schemas::ids::{ConnectionId, ConversationId, MessageId, TurnId};
use proto_schemas::inbox::InboxEntry;
use proto_schemas::progress::{FilesProgress, OutgoingFile};
use proto_schemas::subjects;
use proto_schemas::topology::{DEAD_LETTERS, FETCHES, INBOX, PROGRESS};
use registry::Manifest;
use runtime::config::Reader;
use runtime::links::{LinkConfig, Links};
use runtime::service;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::client::client;
use testkit::condition::{PATIENCE, wait_for, wait_until};
use testkit::discord::{APPLICATION, FakeDiscord, PUBLIC_KEY};
use testkit::files::FileHost;
use testkit::nats::NatsServer;
use testkit::slack::FakeSlack;
use testkit::telegram::FakeTelegram;
use tokio_util::sync::CancellationToken;

/// The connection of Telegram.
pub(crate) const TELEGRAM: &str = "support-telegram";
/// The connection of the HTTP channel.
pub(crate) const HTTP: &str = "support-http";
/// The connection of Slack.
pub(crate) const SLACK: &str = "support-slack";
/// The connection of Discord.
pub(crate) const DISCORD: &str = "support-discord";
/// What links are signed with.
pub(crate) const LINK_SECRET: &str = "a secret for links";

const TOKEN: &str = "123456:ABC";
const SLACK_TOKEN: &str = "xoxb-ABC";
const DISCORD_TOKEN: &str = "MTQ1.ABC";

/// A running service. Ends with the test's runtime.
pub(crate) struct Fixture {
    pub(crate) nats: NatsServer,
    pub(crate) bus: Bus,
    pub(crate) telegram: FakeTelegram,
    pub(crate) slack: FakeSlack,
    pub(crate) discord: FakeDiscord,
    pub(crate) host: FileHost,
    pub(crate) links: Links,
    /// Where files are served, without a slash at the end.
    pub(crate) files_url: String,
    admin: String,
    shutdown: CancellationToken,
    _folder: TempDir,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Fixture {
    /// Starts everything, with `settings` besides those that every test needs.
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (nats, telegram) = (NatsServer::start().await, FakeTelegram::start(TOKEN).await);
        let slack = FakeSlack::start(SLACK_TOKEN).await;
        let discord = FakeDiscord::start(DISCORD_TOKEN).await;
        let bus = connect(nats.url()).await;
        manifest(folder.path(), &telegram, &slack, &discord)
            .store(&bus)
            .await
            .unwrap();
        let (addresses, secret) = (
            folder.path().join("addresses"),
            kept(folder.path(), "links", LINK_SECRET),
        );
        let fixed = [
            ("NATS_URL", nats.url()),
            ("ADMIN_LISTEN", "127.0.0.1:0"),
            ("HTTP_LISTEN", "127.0.0.1:0"),
            ("ADDRESS_FILE", addresses.to_str().unwrap()),
            ("OUTBOUND_ALLOW", "127.0.0.1"),
            ("ATTACHMENTS_SECRET", &secret),
        ];
        let shutdown = CancellationToken::new();
        launch(fixed.iter().chain(settings), &shutdown).await;
        let files_url = format!("{}/files", bound(&addresses, "http"));
        Self {
            links: links(&files_url, &secret),
            admin: bound(&addresses, "admin"),
            host: FileHost::start().await,
            nats,
            bus,
            telegram,
            slack,
            discord,
            files_url,
            shutdown,
            _folder: folder,
        }
    }

    /// Asks for the files of a message, waits until they are attached, and returns the outcomes.
    pub(crate) async fn fetch_in(&self, connection: &str, files: Vec<FileSource>) -> Vec<IncomingFile> {
        self.request(&fetch_in(connection, files)).await;
        let attached = wait_for(PATIENCE, "the files to be attached", async || {
            let entries = self.attached().await;
            entries.into_iter().next()
        });
        attached.await
    }

    /// The outcomes of each `attached` entry in the inbox.
    pub(crate) async fn attached(&self) -> Vec<Vec<IncomingFile>> {
        let subject = subjects::inbox(&conversation());
        let entries = self
            .bus
            .entries(INBOX.name, &subject, 1, 100, 1 << 20)
            .await
            .unwrap();
        let decoded = entries.list.iter().map(|entry| entry.decode().unwrap());
        let files = decoded.map(|entry| match entry {
            InboxEntry::Attached(attached) => attached.files,
            InboxEntry::Received(_) | InboxEntry::Reset(_) => panic!("nobody else writes here"),
        });
        files.collect()
    }

    /// Asks for the files of a reply and waits for their outcomes.
    pub(crate) async fn fetch_out(&self, files: Value) -> Vec<OutgoingFile> {
        let turn = TurnId::new("turn_1").unwrap();
        let files = serde_json::from_value(files).unwrap();
        let fetch = Fetch::Out {
            turn: turn.clone(),
            conversation: conversation(),
            files,
        };
        self.request(&fetch).await;
        let key = subjects::files_progress(&turn);
        let progress = wait_for(PATIENCE, "the files' outcomes", async || {
            self.bus.get::<FilesProgress>(&PROGRESS, &key).await.unwrap()
        });
        progress.await.record.files
    }

    /// Puts a fetch into its slot.
    pub(crate) async fn request(&self, fetch: &Fetch) {
        let subject = match fetch {
            Fetch::In { message_id, .. } => subjects::fetch_in(message_id),
            Fetch::Out { turn, .. } => subjects::fetch_out(turn),
        };
        let trace = TraceContext::new();
        let message = Outgoing::new(subject, fetch, &trace.trace_id(), trace).unwrap();
        self.bus.publish(message).await.unwrap();
    }

    /// Waits until no fetch is left.
    pub(crate) async fn settled(&self) {
        wait_until(PATIENCE, "all fetches to be settled", async || {
            let left = self
                .bus
                .entries(FETCHES.name, "fetches.>", 1, 1, 1 << 20)
                .await
                .unwrap();
            left.list.is_empty()
        })
        .await;
    }

    /// Waits for the first dead letter.
    pub(crate) async fn dead_letter(&self) -> DeadLetter {
        let found = wait_for(PATIENCE, "a dead letter", async || {
            let letters = self
                .bus
                .entries(DEAD_LETTERS.name, "dead-letters.>", 1, 1, 1 << 20)
                .await
                .unwrap();
            letters.list.into_iter().next()
        });
        found.await.decode().unwrap()
    }

    /// Stores a file as the services do.
    pub(crate) async fn store(&self, name: &str, mime_type: &str, content: &'static str) -> StoredFile {
        let files = Files::in_broker(self.bus.clone());
        let bytes = content.as_bytes().into();
        let stored = files.store(name.to_owned(), mime_type.to_owned(), &bytes);
        stored.await.unwrap()
    }

    /// Gets a file at the link that a webhook would be given.
    pub(crate) async fn get(&self, file: &StoredFile) -> reqwest::Response {
        client().get(self.links.link(file)).send().await.unwrap()
    }

    /// What `/metrics` says of a series; its labels as they stand there.
    pub(crate) async fn metric(&self, series: &str) -> u64 {
        let text = client()
            .get(format!("{}/metrics", self.admin))
            .send()
            .await
            .unwrap();
        let text = text.text().await.unwrap();
        let found = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        found
            .unwrap_or_else(|| panic!("no {series} in\n{text}"))
            .parse()
            .unwrap()
    }
}

/// The conversation of every test.
pub(crate) fn conversation() -> ConversationId {
    ConversationId::new("conv_1").unwrap()
}

/// The files of a message.
pub(crate) fn fetch_in(connection: &str, files: Vec<FileSource>) -> Fetch {
    Fetch::In {
        message_id: MessageId::new("msg_1_a").unwrap(),
        conversation: conversation(),
        connection: ConnectionId::new(connection).unwrap(),
        files,
        album: None,
    }
}

/// A file of a message.
pub(crate) fn source(name: &str, location: FileLocation) -> FileSource {
    FileSource {
        name: name.to_owned(),
        mime_type: None,
        bytes: None,
        location,
    }
}

/// A file on a platform.
pub(crate) fn on_platform(name: &str, file_id: &str) -> FileSource {
    source(
        name,
        FileLocation::Platform {
            file_id: file_id.to_owned(),
        },
    )
}

/// The file, which must be stored.
pub(crate) fn stored(file: &IncomingFile) -> &StoredFile {
    match file {
        IncomingFile::Stored(file) => file,
        IncomingFile::Unavailable { name, reason } => panic!("{name}: {reason}"),
    }
}

/// Why the file cannot be had.
pub(crate) fn reason(file: &IncomingFile) -> &str {
    match file {
        IncomingFile::Unavailable { reason, .. } => reason,
        IncomingFile::Stored(file) => panic!("stored: {file:?}"),
    }
}

async fn connect(url: &str) -> Bus {
    let config = BusConfig::new(url, "test");
    let bus = Bus::connect(config).await.unwrap();
    wait_until(PATIENCE, "the topology", async || {
        bus.ensure_topology(OnDifference::Keep).await.is_ok()
    })
    .await;
    bus
}

async fn launch<'a>(variables: impl Iterator<Item = &'a (&'a str, &'a str)>, shutdown: &CancellationToken) {
    let variables = variables.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let (common, own) = service::configure::<AttachmentFetcher>(variables).unwrap();
    // Its tasks run on; the test ends them by the token.
    let launched = Box::pin(service::launch::<AttachmentFetcher>(
        common,
        own,
        shutdown.clone(),
    ));
    assert!(launched.await.unwrap().is_some());
}

fn links(files_url: &str, secret: &str) -> Links {
    let variables = [("ATTACHMENTS_URL", files_url), ("ATTACHMENTS_SECRET", secret)];
    let mut reader = Reader::new(variables.map(|(key, value)| (key.to_owned(), value.to_owned())));
    LinkConfig::read(&mut reader).open().unwrap()
}

fn bound(addresses: &Path, name: &str) -> String {
    let bound: Value = serde_json::from_slice(&std::fs::read(addresses).unwrap()).unwrap();
    let address: SocketAddr = bound[name].as_str().unwrap().parse().unwrap();
    format!("http://{address}")
}

fn kept(folder: &Path, name: &str, value: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, value).unwrap();
    format!("file:{}", path.display())
}

fn manifest(folder: &Path, telegram: &FakeTelegram, slack: &FakeSlack, discord: &FakeDiscord) -> Manifest {
    let token = kept(folder, "token", TOKEN);
    let slack_token = kept(folder, "slack", SLACK_TOKEN);
    let discord_token = kept(folder, "discord", DISCORD_TOKEN);
    let push_secret = kept(folder, "push", &testkit::callback::new_secret("push"));
    let manifest = json!({"connections": [
        {"id": TELEGRAM, "bot": "support", "channel": {"telegram": {
            "token": token, "webhook_secret": token, "api_base": telegram.api_base(),
        }}},
        {"id": SLACK, "bot": "support", "channel": {"slack": {
            "token": slack_token, "signing_secret": slack_token, "api_base": slack.api_base(),
        }}},
        {"id": DISCORD, "bot": "support", "channel": {"discord": {
            "token": discord_token, "application_id": APPLICATION, "public_key": PUBLIC_KEY,
            "api_base": discord.api_base(),
        }}},
        {"id": HTTP, "bot": "support", "channel": {"http": {
            "secrets": [push_secret], "callback_url": "https://chat.example/", "callback_secret": push_secret,
        }}},
    ]});
    serde_json::from_value(manifest).unwrap()
}
