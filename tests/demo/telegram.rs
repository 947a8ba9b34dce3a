//! Over Telegram.

use serde_json::{Value, json};
use testkit::telegram::{FakeTelegram, SentMessage, photo_update, press_update, push_update};
use tests::manifest::{TELEGRAM_SECRET, TELEGRAM_TOKEN, telegram_bot};

use crate::stage::{CONNECTION, PICTURE, Stage, YES, show};

const CHAT: i64 = 250_918_540;

pub(crate) async fn converse(stage: &Stage) {
    let telegram = FakeTelegram::start(TELEGRAM_TOKEN).await;
    telegram.add_file("AgAC-cat", PICTURE);
    let url = stage
        .connect(telegram_bot(CONNECTION, "demo", &telegram.api_base()))
        .await;
    let url = format!("{url}/updates");

    push(&url, &photo_update(1, CHAT, 41, "AgAC-cat", "What is this?")).await;
    stage.show_call(1).await;
    let sent = telegram.wait_for_sent(2).await;
    sent.iter()
        .for_each(|message| show("Telegram gets", &shown(message)));

    push(
        &url,
        &press_update(2, CHAT, sent[1].message_id, "4382168034215648", YES),
    )
    .await;
    stage.show_call(2).await;
    show("Telegram gets", &shown(&telegram.wait_for_sent(3).await[2]));
}

async fn push(url: &str, update: &Value) {
    show("Telegram pushes", update);
    let answer = push_update(url, TELEGRAM_SECRET, update).await.unwrap();
    println!(
        "== ingress answers\n{} {}\n",
        answer.status(),
        answer.text().await.unwrap()
    );
}

fn shown(message: &SentMessage) -> Value {
    json!({
        "method": message.method,
        "text": message.text,
        "entities": message.entities,
        "file": message.file.as_ref().map(|file| &file.name),
        "inline_keyboard": message.keyboard,
        "reply_to": message.reply_to,
    })
}
