//! Discord: what is exchanged with it, read by another implementation.

use channels::{OutgoingReply, ReplyKind, SendMeta};
use proto_schemas::content::{Button, ReplyAddress};
use testkit::discord::{APPLICATION, command, in_direct_messages, ping, press, with_file};
use twilight_model::application::interaction::{Interaction, InteractionData, InteractionType};
use twilight_model::channel::Message;
use twilight_model::channel::message::{AllowedMentions, Component, MessageReference};
use twilight_model::id::Id;
use twilight_model::id::marker::ChannelMarker;

use crate::accounts;
use crate::platform::{Platform, answer, client};

const CHANNEL: &str = "1457510428359004343";
const ID: &str = "1457536583141163186";

/// Of a message that is created, what Twilight has models for.
#[derive(serde::Deserialize)]
struct Created {
    content: String,
    allowed_mentions: AllowedMentions,
    components: Vec<Component>,
    message_reference: MessageReference,
}

fn read(push: &serde_json::Value) -> Interaction {
    serde_json::from_str(&push.to_string()).unwrap()
}

#[test]
fn the_fakes_interactions_are_discords() {
    let asked = with_file(
        command(CHANNEL, ID, "t", "ask", &[("prompt", "hi")]),
        "https://cdn.discordapp.com/a.pdf",
        "a.pdf",
        "application/pdf",
        5,
    );
    for push in [asked.clone(), in_direct_messages(asked)] {
        let interaction = read(&push);
        assert_eq!(interaction.kind, InteractionType::ApplicationCommand);
        assert_eq!(interaction.application_id.to_string(), APPLICATION);
        assert_eq!(
            interaction.author_id().map(Id::get),
            Some(1_033_044_521_375_764_530)
        );
        let Some(InteractionData::ApplicationCommand(data)) = interaction.data else {
            panic!("no command")
        };
        assert_eq!((data.name.as_str(), data.options.len()), ("ask", 2));
        assert_eq!(data.resolved.unwrap().attachments.len(), 1);
    }
    let pressed = read(&press(CHANNEL, ID, "t", "ok", ID));
    assert_eq!(pressed.kind, InteractionType::MessageComponent);
    assert_eq!(pressed.message.unwrap().id.to_string(), ID);
    assert_eq!(read(&ping()).kind, InteractionType::Ping);
}

#[tokio::test]
async fn a_message_that_we_create_and_the_fakes_answer_are_discords() {
    let discord = testkit::discord::FakeDiscord::start(accounts::DISCORD_TOKEN).await;
    let script = Platform::start([answer(200, r#"{"id":"7"}"#)]).await;
    let address = ReplyAddress {
        chat_id: CHANNEL.to_owned(),
        thread_id: None,
        message_id: Some(ID.to_owned()),
        interaction: None,
    };
    let buttons = [
        button("Yes", Some("ok:42"), None),
        button("Docs", None, Some("https://docs.test/")),
    ];
    let meta = SendMeta {
        part_id: "turn_a_m1_0",
        kind: ReplyKind::Reply,
        now_secs: 0,
        content: None,
    };
    for api_base in [script.url.clone(), discord.api_base()] {
        let account = accounts::discord(&api_base);
        let parts = account.render(&OutgoingReply {
            text: "Done 1 * 2",
            files: &[],
            buttons: &buttons,
        });
        account.send(&client(), &address, &parts[0], &meta).await.unwrap();
    }
    let sent = &script.seen()[0].body;
    assert_eq!(discord.sent()[0].payload, script.seen()[0].json());
    let created: Created = serde_json::from_slice(sent).unwrap();
    assert_eq!(created.content, "Done 1 \\* 2");
    assert_eq!(created.allowed_mentions, AllowedMentions::default());
    assert_eq!(created.message_reference.message_id.unwrap().to_string(), ID);
    let [Component::ActionRow(row)] = &created.components[..] else {
        panic!("{:?}", created.components)
    };
    assert!(
        row.components
            .iter()
            .all(|button| matches!(button, Component::Button(_)))
    );
    assert_eq!(row.components.len(), 2);

    let again = testkit::client::client()
        .post(format!("{}/channels/{CHANNEL}/messages", discord.api_base()))
        .header("authorization", format!("Bot {}", accounts::DISCORD_TOKEN))
        .header("user-agent", "DiscordBot (https://a.test, 1)")
        .header("content-type", "application/json")
        .body(sent.clone())
        .send()
        .await
        .unwrap();
    let shown: Message = serde_json::from_slice(&again.bytes().await.unwrap()).unwrap();
    assert_eq!(shown.channel_id, CHANNEL.parse::<Id<ChannelMarker>>().unwrap());
    assert_eq!(shown.content, "Done 1 \\* 2");
}

fn button(label: &str, value: Option<&str>, url: Option<&str>) -> Button {
    Button {
        label: label.to_owned(),
        value: value.map(str::to_owned),
        url: url.map(str::to_owned),
    }
}
