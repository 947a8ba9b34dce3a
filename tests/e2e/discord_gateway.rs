//! Plain messages of Discord, from its Gateway to the webhook.

use proto_schemas::dead_letter::Stage;
use registry::Manifest;
use serde_json::json;
use testkit::condition::{PATIENCE, wait_until};
use testkit::discord::{BOT_USER, Endpoint, FakeGateway, direct_message, guild_message, mention};

use crate::manifest::DISCORD_TOKEN;
use crate::pipeline::{Options, Pipeline};

const CONNECTION: &str = "discord-gateway";
/// Short, so that a frozen reader is soon taken for dead, and longer than a busy machine makes one stand still.
const SETTINGS: &[(&str, &str)] = &[("GATEWAY_LEASE", "5s")];

/// A pipeline with a bot that reads plain messages. They are asked about each in a channel of its own.
pub(crate) async fn start() -> (Pipeline, FakeGateway) {
    let options = Options {
        settings: SETTINGS,
        ..Options::default()
    };
    let pipeline = Pipeline::start(options).await;
    let discord = FakeGateway::start(DISCORD_TOKEN).await;
    let account = json!({
        "token": "env:DISCORD_TOKEN",
        "application_id": BOT_USER,
        "public_key": "0".repeat(64),
        "gateway": { "url": discord.url() },
        "api_base": pipeline.discord.api_base(),
    });
    let connection = json!({ "id": CONNECTION, "bot": "demo", "channel": { "discord": account } });
    let manifest: Manifest = serde_json::from_value(json!({ "connections": [connection] })).unwrap();
    manifest.store(&pipeline.bus).await.unwrap();
    discord.wait_for_session().await;
    (pipeline, discord)
}

#[tokio::test]
async fn a_message_that_calls_the_bot_is_answered_below_it() {
    let (pipeline, discord) = start().await;
    let gate = pipeline.backend.hold();
    discord.says(guild_message("7", "1000", "hello all"));
    discord.says(mention(guild_message("7", "1001", "what is 1 < 2?")));
    let calls = pipeline.backend.wait_for_calls(1).await;
    assert_eq!(calls[0].last_text(), "what is 1 < 2?");
    let metadata = &calls[0].request.as_ref().unwrap().metadata;
    assert_eq!(metadata.chat_id, "7");
    wait_until(
        PATIENCE,
        "the channel to be shown that the bot works",
        async || pipeline.discord.calls(Endpoint::Typing) > 0,
    )
    .await;
    gate.release();

    let sent = pipeline.discord_messages("7", 1).await;
    pipeline.settled().await;
    assert_eq!(sent[0].endpoint, Endpoint::Message);
    assert_eq!(sent[0].payload["message_reference"]["message_id"], "1001");
    assert_eq!(pipeline.calls_of("7").len(), 1);
}

#[tokio::test]
async fn a_reader_that_is_frozen_past_its_lease_loses_no_message_and_doubles_none() {
    let (mut pipeline, discord) = start().await;
    discord.says(direct_message("11", "1001", "one"));
    pipeline.backend.wait_for_calls(1).await;
    pipeline.service(Stage::Ingress).pause().await;
    discord.says(direct_message("12", "1002", "two"));
    discord.says(direct_message("13", "1003", "three"));
    pipeline.add_replica(Stage::Ingress).await;
    pipeline.backend.wait_for_calls(3).await;

    let frozen = pipeline.service(Stage::Ingress);
    frozen.resume();
    wait_until(PATIENCE, "the woken reader to leave the Gateway", async || {
        frozen.logs().contains("the lease of the Gateway is over") && discord.connections() == 1
    })
    .await;
    discord.says(direct_message("14", "1004", "four"));
    let calls = pipeline.backend.wait_for_calls(4).await;
    let mut texts: Vec<String> = calls.iter().map(|call| call.last_text()).collect();
    texts.sort();
    assert_eq!(texts, ["four", "one", "three", "two"]);
    let forwarded = Pipeline::count(
        frozen,
        "chatbot_gateway_messages_total{result=\"accepted\",service=\"ingress\"}",
    );
    assert_eq!(forwarded.await, 1, "the woken one stores nothing more");
    assert_eq!((discord.identifies(), discord.most_live_sessions()), (1, 1));
}

#[tokio::test]
async fn what_is_said_during_a_restart_is_answered_once() {
    let (mut pipeline, discord) = start().await;
    discord.says(direct_message("11", "1001", "one"));
    pipeline.backend.wait_for_calls(1).await;
    pipeline.service(Stage::Ingress).terminate().await;
    discord.says(direct_message("12", "1002", "two"));
    pipeline.restart(Stage::Ingress).await;
    pipeline.backend.wait_for_calls(2).await;
    discord.says(direct_message("13", "1003", "three"));
    let calls = pipeline.backend.wait_for_calls(3).await;
    let texts: Vec<String> = calls.iter().map(|call| call.last_text()).collect();
    assert_eq!(texts, ["one", "two", "three"]);
    assert_eq!((discord.identifies(), discord.resumes().len()), (1, 1));
}
