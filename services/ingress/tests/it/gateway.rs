//! Plain messages of Discord, through its Gateway. The replicas are processes: they are frozen and killed.

use bus::Bus;
use proto_schemas::content::ChannelKind;
use proto_schemas::inbox::{InboxEntry, Received};
use proto_schemas::topology::{DEAD_LETTERS, INBOX};
use registry::Manifest;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::client::client;
use testkit::condition::{PATIENCE, wait_for, wait_until};
use testkit::discord::{BOT_USER, FakeGateway, direct_message, guild_message, mention};
use testkit::nats::NatsServer;
use testkit::process::Service;

use crate::fixture::connect;

const CONNECTION: &str = "support-discord";
const TOKEN: &str = "discord-token";
/// Where the user writes to the bot alone.
const DM: &str = "319674150115610528";
/// Short, so that it is soon over where it shall be, and longer than a busy machine stands still where it shall not.
const LEASE: &str = "5s";
/// The code that keeps a session.
const KEEPS_SESSION: u16 = 4000;

/// A broker, Discord, and a configuration with one connection; replicas come as the test wants them.
struct World {
    nats: NatsServer,
    bus: Bus,
    discord: FakeGateway,
    folder: TempDir,
}

impl World {
    async fn start() -> Self {
        Self::start_with(FakeGateway::start(TOKEN).await).await
    }

    async fn start_with(discord: FakeGateway) -> Self {
        let nats = NatsServer::start().await;
        let world = Self {
            bus: connect(nats.url()).await,
            nats,
            discord,
            folder: tempfile::tempdir().unwrap(),
        };
        std::fs::write(world.folder.path().join("token"), TOKEN).unwrap();
        world.configure(json!({ "url": world.discord.url() })).await;
        world
    }

    /// Stores the connection with a Gateway, or null.
    async fn configure(&self, gateway: Value) {
        let token = format!("file:{}", self.folder.path().join("token").display());
        let discord = json!({
            "token": token, "application_id": BOT_USER, "public_key": "0".repeat(64), "gateway": gateway,
        });
        let connection = json!({"id": CONNECTION, "bot": "support", "channel": {"discord": discord}});
        let manifest: Manifest = serde_json::from_value(json!({"connections": [connection]})).unwrap();
        manifest.store(&self.bus).await.unwrap();
    }

    /// Starts a replica, with `settings` besides the usual ones.
    async fn replica(&self, settings: &[(&str, &str)]) -> Service {
        let usual = [
            ("NATS_URL", self.nats.url()),
            ("ADMIN_LISTEN", "127.0.0.1:0"),
            ("HTTP_LISTEN", "127.0.0.1:0"),
            ("GATEWAY_LEASE", LEASE),
        ];
        let all = usual.iter().chain(settings);
        let env: Vec<_> = all.map(|(key, value)| (*key, (*value).to_owned())).collect();
        let service = Service::start("ingress", &env).await;
        service.ready().await;
        service
    }

    /// A user writes to the bot alone; returns the sequence of the event.
    fn says(&self, number: u32) -> u64 {
        let (id, text) = ((1000 + number).to_string(), number.to_string());
        self.discord.says(direct_message(DM, &id, &text))
    }

    /// Waits until the only connection is closed, so that its session can be gone on with.
    async fn closed(&self) {
        wait_until(PATIENCE, "the connection to be closed", async || {
            self.discord.connections() == 0
        })
        .await;
        assert_eq!(self.discord.farewells(), [KEEPS_SESSION]);
    }

    /// What is in the inboxes, when there are at least so many messages.
    async fn received(&self, count: usize) -> Vec<Received> {
        let what = format!("{count} messages in the inbox");
        let entries = wait_for(PATIENCE, &what, async || {
            let entries = self
                .bus
                .entries(INBOX.name, "inbox.*", 1, 100, 1 << 20)
                .await
                .ok()?;
            (entries.list.len() >= count).then_some(entries.list)
        });
        let entries = entries.await.into_iter().map(|entry| entry.decode().unwrap());
        entries
            .map(|entry| match entry {
                InboxEntry::Received(received) | InboxEntry::Reset(received) => received,
                InboxEntry::Attached(_) => panic!("{entry:?}"),
            })
            .collect()
    }

    /// The texts of all messages, when there are at least so many.
    async fn texts(&self, count: usize) -> Vec<String> {
        let received = self.received(count).await.into_iter();
        received.map(|message| message.text).collect()
    }
}

/// What a replica counts of a series.
async fn count(service: &Service, series: &str) -> u64 {
    let url = format!("http://{}/metrics", service.address("admin").await);
    let text = client().get(url).send().await.unwrap().text().await.unwrap();
    let (name, label) = series.split_once(' ').unwrap();
    let series = format!("chatbot_{name}{{{label},service=\"ingress\"}} ");
    let found = text.lines().find_map(|line| line.strip_prefix(&series));
    found.map_or(0, |value| value.parse().unwrap())
}

async fn messages(service: &Service, result: &str) -> u64 {
    count(service, &format!("gateway_messages_total result=\"{result}\"")).await
}

async fn ends(service: &Service, cause: &str) -> u64 {
    count(service, &format!("gateway_session_ends_total cause=\"{cause}\"")).await
}

async fn reads(service: &Service) -> bool {
    let series = format!("gateway_lease_held connection=\"{CONNECTION}\"");
    count(service, &series).await == 1
}

#[tokio::test]
async fn a_message_is_stored_with_the_way_back_and_what_is_not_for_the_bot_is_not() {
    let world = World::start().await;
    let replica = world.replica(&[]).await;
    world.discord.wait_for_session().await;
    world.discord.says(guild_message("7", "1000", "hello all"));
    world.discord.tells("MESSAGE_UPDATE", json!({"id": "1000"}));
    world
        .discord
        .says(mention(guild_message("7", "1001", "what is it?")));
    let received = world.received(1).await;
    let [message] = &received[..] else {
        panic!("{received:?}")
    };
    assert_eq!(
        (
            message.text.as_str(),
            message.channel,
            message.connection.as_str()
        ),
        ("what is it?", ChannelKind::Discord, CONNECTION)
    );
    let address = &message.address;
    assert_eq!(
        (address.chat_id.as_str(), address.message_id.as_deref()),
        ("7", Some("1001"))
    );
    assert!(reads(&replica).await);
    let results = [
        messages(&replica, "accepted").await,
        messages(&replica, "ignored").await,
    ];
    assert_eq!(results, [1, 1]);
}

#[tokio::test]
async fn a_restarted_replica_resumes_behind_what_is_stored() {
    let world = World::start().await;
    let replica = world.replica(&[]).await;
    world.discord.wait_for_session().await;
    world.says(1);
    let last = world.says(2);
    world.texts(2).await;
    assert!(replica.terminate().await.success());
    world.closed().await;
    world.says(3);

    let replica = world.replica(&[]).await;
    assert_eq!(world.texts(3).await, ["1", "2", "3"]);
    assert_eq!(world.discord.resumes(), [last]);
    assert_eq!(world.discord.identifies(), 1);
    assert_eq!(messages(&replica, "duplicate").await, 0);
}

#[tokio::test]
async fn what_a_killed_replica_left_is_gone_on_with_by_another() {
    let world = World::start().await;
    let (first, second) = (world.replica(&[]).await, world.replica(&[]).await);
    world.discord.wait_for_session().await;
    let (reader, other) = if reads(&first).await {
        (first, second)
    } else {
        (second, first)
    };
    world.says(1);
    world.texts(1).await;
    reader.kill();
    world.says(2);
    assert_eq!(world.texts(2).await, ["1", "2"]);
    assert!(reads(&other).await);
    assert_eq!(
        (world.discord.identifies(), world.discord.resumes().len()),
        (1, 1)
    );
    assert_eq!(world.discord.most_live_sessions(), 1);
}

#[tokio::test]
async fn of_two_replicas_one_reads() {
    let world = World::start().await;
    let replicas = [world.replica(&[]).await, world.replica(&[]).await];
    world.discord.wait_for_session().await;
    for number in 1..=5 {
        world.says(number);
    }
    assert_eq!(world.texts(5).await, ["1", "2", "3", "4", "5"]);
    assert_ne!(reads(&replicas[0]).await, reads(&replicas[1]).await);
    assert_eq!((world.discord.connections(), world.discord.identifies()), (1, 1));
}

#[tokio::test]
async fn a_replica_that_was_frozen_past_its_lease_stores_nothing_when_it_wakes() {
    let world = World::start().await;
    let frozen = world.replica(&[]).await;
    world.discord.wait_for_session().await;
    world.says(1);
    world.texts(1).await;
    let other = world.replica(&[]).await;
    frozen.pause().await;
    // They lie in its socket when it wakes.
    world.says(2);
    world.says(3);
    assert_eq!(world.texts(3).await, ["1", "2", "3"]);
    assert!(reads(&other).await);

    frozen.resume();
    wait_until(PATIENCE, "the woken one to leave the Gateway", async || {
        ends(&frozen, "lease_over").await == 1 && world.discord.connections() == 1
    })
    .await;
    world.says(4);
    assert_eq!(world.texts(4).await, ["1", "2", "3", "4"]);
    let stored = async |service: &Service| {
        [
            messages(service, "accepted").await,
            messages(service, "duplicate").await,
        ]
    };
    assert_eq!(stored(&frozen).await, [1, 0]);
    assert_eq!(stored(&other).await[0], 3);
    assert!(!reads(&frozen).await && reads(&other).await);
    assert_eq!(
        (world.discord.identifies(), world.discord.most_live_sessions()),
        (1, 1)
    );
}

#[tokio::test]
async fn a_session_that_discord_has_forgotten_is_begun_anew() {
    let world = World::start().await;
    let replica = world.replica(&[]).await;
    world.discord.wait_for_session().await;
    world.says(1);
    world.texts(1).await;
    world.discord.forget_sessions();
    wait_until(PATIENCE, "another session", async || {
        world.discord.identifies() == 2
    })
    .await;
    world.discord.wait_for_session().await;
    world.says(2);
    assert_eq!(world.texts(2).await, ["1", "2"]);
    assert_eq!(world.discord.resumes().len(), 1);
    assert_eq!(ends(&replica, "invalid_session").await, 1);
}

#[tokio::test]
async fn a_session_that_discord_ends_with_its_connection_is_begun_anew() {
    let world = World::start().await;
    let replica = world.replica(&[]).await;
    world.discord.wait_for_session().await;
    for (begun, code) in [(2, 4003), (3, 4007), (4, 4009)] {
        world.discord.end_sessions(code);
        let what = format!("another session after {code}");
        wait_until(PATIENCE, &what, async || world.discord.identifies() == begun).await;
        world.discord.wait_for_session().await;
    }
    world.says(1);
    assert_eq!(world.texts(1).await, ["1"]);
    assert_eq!(world.discord.resumes(), [0; 0]);
    assert_eq!(ends(&replica, "invalid_session").await, 3);
}

#[tokio::test]
async fn a_connection_that_the_gateway_ends_is_followed_by_another_and_nothing_is_lost() {
    let world = World::start().await;
    let replica = world.replica(&[]).await;
    world.discord.wait_for_session().await;
    world.discord.ask_to_reconnect();
    world.says(1);
    wait_until(PATIENCE, "the first to be resumed", async || {
        world.discord.resumes().len() == 1
    })
    .await;
    world.texts(1).await;
    world.discord.close_all(1001);
    world.says(2);
    assert_eq!(world.texts(2).await, ["1", "2"]);
    assert_eq!(
        (world.discord.identifies(), world.discord.resumes().len()),
        (1, 2)
    );
    assert_eq!(ends(&replica, "closed").await, 2);
}

#[tokio::test]
async fn what_discord_refuses_is_told_the_operator_and_not_tried_again_at_once() {
    let world = World::start().await;
    world.discord.refuse_with(4014);
    let replica = world.replica(&[]).await;
    wait_until(PATIENCE, "the refusal", async || {
        ends(&replica, "refused").await == 1
    })
    .await;
    assert!(replica.logs().contains("4014"), "{}", replica.logs());
    assert!(reads(&replica).await, "another one would try at once");
    assert_eq!((world.discord.identifies(), world.discord.connections()), (1, 0));
}

#[tokio::test]
async fn a_token_that_discord_does_not_know_is_refused() {
    let world = World::start().await;
    std::fs::write(world.folder.path().join("token"), "another").unwrap();
    let replica = world.replica(&[]).await;
    wait_until(PATIENCE, "the refusal", async || {
        ends(&replica, "refused").await == 1
    })
    .await;
    assert!(!replica.logs().contains("another"), "{}", replica.logs());
    assert_eq!(world.discord.identifies(), 0);
}

#[tokio::test]
async fn a_connection_that_loses_its_gateway_is_let_go_of_and_gone_on_with_when_it_has_it_again() {
    let world = World::start().await;
    let replica = world.replica(&[]).await;
    world.discord.wait_for_session().await;
    world.configure(Value::Null).await;
    world.closed().await;
    world.says(1);
    world.configure(json!({ "url": world.discord.url() })).await;
    assert_eq!(world.texts(1).await, ["1"]);
    assert_eq!(world.discord.identifies(), 1);
    assert!(reads(&replica).await);
}

#[tokio::test]
async fn a_message_over_a_limit_becomes_a_dead_letter_and_does_not_hold_back_others() {
    let world = World::start().await;
    let replica = world
        // Nobody answers here, so the one message that may wait does so for ever.
        .replica(&[("CONVERSATION_BACKLOG", "1")])
        .await;
    world.discord.wait_for_session().await;
    for number in 1..=3 {
        world.says(number);
    }
    world.discord.says(direct_message("8", "2000", "of another"));
    assert_eq!(world.texts(2).await, ["1", "of another"]);
    assert_eq!(messages(&replica, "dead_letter").await, 2);
    let letters = world.bus.entries(
        DEAD_LETTERS.name,
        "dead-letters.ingress.backlog_full.*",
        1,
        10,
        1 << 20,
    );
    assert_eq!(letters.await.unwrap().list.len(), 2);
}

#[tokio::test]
async fn what_comes_all_at_once_was_not_written_too_fast() {
    let world = World::start().await;
    let replica = world.replica(&[("CONVERSATION_RATE", "1")]).await;
    world.discord.wait_for_session().await;
    for number in 1..=10 {
        world.says(number);
    }
    let expected: Vec<String> = (1..=10).map(|number| number.to_string()).collect();
    assert_eq!(world.texts(10).await, expected);
    assert_eq!(messages(&replica, "dead_letter").await, 0);
}

#[tokio::test]
async fn what_is_said_while_the_broker_is_away_is_stored_once_it_is_back() {
    let mut world = World::start().await;
    let replica = world.replica(&[]).await;
    world.discord.wait_for_session().await;
    world.says(1);
    world.texts(1).await;
    world.nats.stop().await;
    world.says(2);
    wait_until(PATIENCE, "the lease to be over", async || {
        ends(&replica, "lease_over").await >= 1
    })
    .await;
    world.nats.restart().await;
    assert_eq!(world.texts(2).await, ["1", "2"]);
    world.says(3);
    assert_eq!(world.texts(3).await, ["1", "2", "3"]);
    assert_eq!(
        (world.discord.identifies(), world.discord.most_live_sessions()),
        (1, 1)
    );
}

#[tokio::test]
async fn a_broker_that_is_back_before_the_lease_is_over_ends_no_session() {
    let mut world = World::start().await;
    let replica = world.replica(&[("GATEWAY_LEASE", "60s")]).await;
    world.discord.wait_for_session().await;
    world.says(1);
    world.texts(1).await;
    world.nats.stop().await;
    world.says(2);
    world.nats.restart().await;
    assert_eq!(world.texts(2).await, ["1", "2"]);
    assert!(reads(&replica).await);
    assert_eq!(
        (ends(&replica, "lease_over").await, world.discord.resumes().len()),
        (0, 0)
    );
}

#[tokio::test]
async fn the_gateway_is_read_over_tls_with_a_certificate_that_the_system_trusts() {
    let (discord, certificate) = FakeGateway::start_with_tls(TOKEN).await;
    let world = World::start_with(discord).await;
    let stranger = world.replica(&[]).await;
    wait_until(PATIENCE, "the certificate to be refused", async || {
        ends(&stranger, "unreachable").await > 0
    })
    .await;
    assert!(stranger.terminate().await.success());
    let trusted = world.folder.path().join("trusted.pem");
    std::fs::write(&trusted, certificate).unwrap();
    let _replica = world
        .replica(&[("SSL_CERT_FILE", trusted.to_str().unwrap())])
        .await;
    world.discord.wait_for_session().await;
    world.says(1);
    assert_eq!(world.texts(1).await, ["1"]);
    assert_eq!(world.discord.identifies(), 1);
}
