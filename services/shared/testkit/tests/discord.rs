//! The fake Discord.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic is their report")]

use std::time::Duration;

use serde_json::{Value, json};
use testkit::client::client;
use testkit::discord::{APPLICATION, Endpoint, FakeDiscord};

const TOKEN: &str = "MTQ1.token";
const AGENT: &str = "DiscordBot (https://bot.test, 1)";
const CHANNEL: &str = "C1";

/// How a call differs from the usual one.
#[derive(Clone, Copy)]
struct As<'a> {
    token: Option<&'a str>,
    agent: &'a str,
}

const BOT: As<'_> = As {
    token: Some(TOKEN),
    agent: AGENT,
};

async fn call(discord: &FakeDiscord, who: As<'_>, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let method = method.parse().unwrap();
    let request = client()
        .request(method, format!("{}{path}", discord.api_base()))
        .header("content-type", "application/json")
        .header("user-agent", who.agent);
    let request = match who.token {
        Some(token) => request.header("authorization", format!("Bot {token}")),
        None => request,
    };
    let answer = request.body(body.to_string()).send().await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.bytes().await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

async fn post(discord: &FakeDiscord, body: &Value) -> (u16, Value) {
    call(
        discord,
        BOT,
        "POST",
        &format!("/channels/{CHANNEL}/messages"),
        body,
    )
    .await
}

async fn say(discord: &FakeDiscord, text: &str) -> (u16, Value) {
    post(discord, &json!({ "content": text })).await
}

async fn interact(discord: &FakeDiscord, method: &str, rest: &str, text: &str) -> (u16, u64) {
    let nobody = As { token: None, ..BOT };
    let path = format!("/webhooks/{APPLICATION}/t{rest}");
    let (status, body) = call(discord, nobody, method, &path, &json!({ "content": text })).await;
    (status, body["code"].as_u64().unwrap_or(0))
}

fn code(answer: &(u16, Value)) -> (u16, u64) {
    (answer.0, answer.1["code"].as_u64().unwrap_or(0))
}

#[tokio::test]
async fn only_the_bot_that_presents_itself_is_let_in() {
    let discord = FakeDiscord::start(TOKEN).await;
    let path = format!("/channels/{CHANNEL}/messages");
    let body = json!({ "content": "hi" });
    for (who, expected) in [
        (BOT, 200),
        (As { token: None, ..BOT }, 401),
        (
            As {
                token: Some("other"),
                ..BOT
            },
            401,
        ),
        (
            As {
                agent: "curl/8",
                ..BOT
            },
            403,
        ),
    ] {
        assert_eq!(call(&discord, who, "POST", &path, &body).await.0, expected);
    }
    assert_eq!(discord.sent_to(CHANNEL).len(), 1);
    assert_eq!(discord.calls(Endpoint::Message), 4);
}

#[tokio::test]
async fn what_is_too_long_empty_or_badly_made_is_refused() {
    let discord = FakeDiscord::start(TOKEN).await;
    assert_eq!(say(&discord, &"x".repeat(2000)).await.0, 200);
    assert_eq!(code(&say(&discord, &"x".repeat(2001)).await), (400, 50035));
    assert_eq!(code(&say(&discord, "").await), (400, 50006));
    let button = json!({"type": 2, "style": 1, "label": "a", "custom_id": "1"});
    let twice = json!({"content": "x", "components": [{"type": 1, "components": [button, button]}]});
    assert_eq!(code(&post(&discord, &twice).await), (400, 50035));
    let announced = json!({"attachments": [{"id": "0", "filename": "a"}]});
    assert_eq!(code(&post(&discord, &announced).await), (400, 50035));
}

#[tokio::test]
async fn a_message_is_known_by_its_nonce_if_that_is_asked_for() {
    let discord = FakeDiscord::start(TOKEN).await;
    let enforced = json!({ "content": "a", "nonce": "1", "enforce_nonce": true });
    let (first, again) = (post(&discord, &enforced).await, post(&discord, &enforced).await);
    assert_eq!(first.1["id"], again.1["id"]);
    assert_eq!(discord.sent().len(), 1);
    post(&discord, &json!({ "content": "a", "nonce": "1" })).await;
    assert_eq!(discord.sent().len(), 2);
}

#[tokio::test]
async fn an_answer_takes_the_place_of_the_thinking_and_then_of_itself() {
    let discord = FakeDiscord::start(TOKEN).await;
    assert_eq!(
        interact(&discord, "PATCH", "/messages/@original", "a").await,
        (404, 10015)
    );
    discord.think("t", CHANNEL);
    assert!(discord.is_thinking("t"));
    for text in ["a", "b"] {
        assert_eq!(
            interact(&discord, "PATCH", "/messages/@original", text).await,
            (200, 0)
        );
    }
    assert_eq!(interact(&discord, "POST", "", "c").await, (200, 0));
    assert!(!discord.is_thinking("t"));
    let sent = discord.sent_to(CHANNEL);
    let texts: Vec<_> = sent.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(texts, ["b", "c"]);
    discord.expire("t");
    assert_eq!(interact(&discord, "POST", "", "d").await, (401, 50027));
}

#[tokio::test]
async fn a_thinking_that_is_taken_back_is_gone() {
    let discord = FakeDiscord::start(TOKEN).await;
    discord.think("t", CHANNEL);
    assert_eq!(
        interact(&discord, "DELETE", "/messages/@original", "").await,
        (204, 0)
    );
    assert!(!discord.is_thinking("t"));
    assert_eq!(
        interact(&discord, "DELETE", "/messages/@original", "").await,
        (404, 10008)
    );
}

#[tokio::test]
async fn a_channel_and_all_of_them_have_limits_which_interactions_do_not_touch() {
    let discord = FakeDiscord::start(TOKEN).await;
    let hour = Duration::from_secs(3600);
    discord.limit_each_channel(1, hour);
    discord.think("t", CHANNEL);
    assert_eq!(say(&discord, "a").await.0, 200);
    let (status, body) = say(&discord, "b").await;
    assert_eq!((status, &body["global"]), (429, &json!(false)));
    assert!(body["retry_after"].as_f64().unwrap() > 3000.0);
    let elsewhere = json!({ "content": "c" });
    assert_eq!(
        call(&discord, BOT, "POST", "/channels/C2/messages", &elsewhere)
            .await
            .0,
        200
    );
    discord.limit_all_channels(2, hour);
    let (status, body) = call(&discord, BOT, "POST", "/channels/C3/messages", &elsewhere).await;
    assert_eq!((status, &body["global"]), (429, &json!(true)));
    assert_eq!(interact(&discord, "POST", "", "d").await.0, 200);
}

#[tokio::test]
async fn failures_come_as_they_were_asked_for() {
    let discord = FakeDiscord::start(TOKEN).await;
    discord.fail_next(Endpoint::Message, 403, 50001);
    discord.limit_next(Endpoint::Message, 0.5, true);
    discord.show_page_next(Endpoint::Message, 429, Some(7));
    assert_eq!(code(&say(&discord, "a").await), (403, 50001));
    assert_eq!(say(&discord, "a").await.1["retry_after"], 0.5);
    assert_eq!(say(&discord, "a").await, (429, Value::Null));
    assert_eq!(say(&discord, "a").await.0, 200);
    discord.close_channel(CHANNEL, 404, 10003);
    assert_eq!(code(&say(&discord, "a").await), (404, 10003));
}

#[tokio::test]
async fn a_lost_answer_is_of_what_was_done_and_a_break_of_what_was_not() {
    let discord = FakeDiscord::start(TOKEN).await;
    discord.lose_next_answer(Endpoint::Message);
    discord.break_off_next(Endpoint::Message);
    for expected in [1, 1] {
        let sent = client()
            .post(format!("{}/channels/{CHANNEL}/messages", discord.api_base()))
            .header("content-type", "application/json")
            .header("user-agent", AGENT)
            .header("authorization", format!("Bot {TOKEN}"))
            .body(r#"{"content":"a"}"#)
            .send()
            .await;
        assert!(sent.is_err());
        assert_eq!(discord.sent().len(), expected);
    }
}

#[tokio::test]
async fn a_file_is_had_without_a_token_only() {
    let discord = FakeDiscord::start(TOKEN).await;
    let url = discord.add_file("a.txt", "text/plain", "hello");
    assert!(url.contains("?ex="));
    let answer = client().get(&url).send().await.unwrap();
    assert_eq!(answer.bytes().await.unwrap(), "hello");
    let with_token = client().get(&url).header("authorization", "Bot x");
    assert_eq!(with_token.send().await.unwrap().status(), 400);
}
