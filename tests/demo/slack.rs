//! Over Slack, in a thread of a channel.

use serde_json::{Value, json};
use testkit::slack::{
    FakeSlack, SentMessage, channel_message, in_thread, press, push_event, push_form, with_file,
};
use tests::manifest::{SLACK_SIGNING_SECRET, SLACK_TOKEN, slack_app};

use crate::stage::{CONNECTION, PICTURE, Stage, YES, show};

const CHANNEL: &str = "C00FAKECHAN1";
const THREAD: &str = "1766458026.240809";

pub(crate) async fn converse(stage: &Stage) {
    let slack = FakeSlack::start(SLACK_TOKEN).await;
    slack.add_file("F1", "image/png", PICTURE);
    let url = stage
        .connect(slack_app(CONNECTION, "demo", &slack.api_base()))
        .await;
    let url = format!("{url}/events");

    let said = channel_message(CHANNEL, "1766458031.859009", "<@U00FAKEBOT01> What is this?");
    let asked = with_file(
        in_thread(said, THREAD),
        "F1",
        "cat.png",
        "image/png",
        PICTURE.len(),
    );
    show("Slack pushes", &asked);
    let answer = push_event(&url, SLACK_SIGNING_SECRET, &asked).await.unwrap();
    println!("== ingress answers\n{}\n", answer.status());
    stage.show_call(1).await;
    let sent = slack.wait_for_sent(3).await;
    sent.iter()
        .for_each(|message| show("Slack gets", &shown(message)));

    let pressed = press(CHANNEL, &sent[2].id, THREAD, YES, "10215325802133");
    show(
        "Slack pushes, as a form",
        &serde_json::from_str(&pressed[0].1).unwrap(),
    );
    let answer = push_form(&url, SLACK_SIGNING_SECRET, &pressed).await.unwrap();
    println!("== ingress answers\n{}\n", answer.status());
    stage.show_call(2).await;
    show("Slack gets", &shown(&slack.wait_for_sent(4).await[3]));
}

fn shown(message: &SentMessage) -> Value {
    json!({
        "channel": message.channel,
        "thread_ts": message.thread_ts,
        "text": message.text,
        "blocks": message.blocks,
        "file": message.file.as_ref().map(|file| &file.name),
        "client_msg_id": message.client_msg_id,
    })
}
