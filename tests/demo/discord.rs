//! Over Discord: a command, and a button below its answer.

use serde_json::{Value, json};
use testkit::discord::{FakeDiscord, SentMessage, command, press, with_file};
use tests::manifest::{DISCORD_TOKEN, discord_app};

use crate::stage::{CONNECTION, PICTURE, Stage, YES, show};

const CHANNEL: &str = "1457510428359004343";

pub(crate) async fn converse(stage: &Stage) {
    let discord = FakeDiscord::start(DISCORD_TOKEN).await;
    let picture = discord.add_file("cat.png", "image/png", PICTURE);
    let url = stage
        .connect(discord_app(CONNECTION, "demo", &discord.api_base()))
        .await;
    let url = format!("{url}/interactions");

    let asked = command(CHANNEL, "1", "token-1", "ask", &[("prompt", "What is this?")]);
    let asked = with_file(asked, &picture, "cat.png", "image/png", PICTURE.len());
    push(&discord, &url, &asked).await;
    stage.show_call(1).await;
    let sent = discord.wait_for_sent(2).await;
    sent.iter()
        .for_each(|message| show("Discord gets", &shown(message)));

    push(&discord, &url, &press(CHANNEL, "2", "token-2", YES, &sent[1].id)).await;
    stage.show_call(2).await;
    show("Discord gets", &shown(&discord.wait_for_sent(3).await[2]));
}

async fn push(discord: &FakeDiscord, url: &str, interaction: &Value) {
    show("Discord pushes", interaction);
    let (status, answer) = discord.interact(url, interaction).await;
    println!("== ingress answers\n{status} {answer}\n");
}

fn shown(message: &SentMessage) -> Value {
    json!({
        "where": format!("{:?}", message.endpoint),
        "payload": message.payload,
        "file": message.file.as_ref().map(|file| &file.name),
    })
}
