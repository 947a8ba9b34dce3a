//! The published APIs behind a bot: what they are sent, what becomes of their answers and errors.

use std::sync::atomic::{AtomicUsize, Ordering};

use proto_schemas::content::{IncomingFile, Role, StoredFile, Utterance};
use proto_schemas::context::TurnResult;
use proto_schemas::turn::Turn;
use serde_json::{Map, Value, json};
use testkit::backend::Scripted;
use testkit::callback::new_secret;

use crate::apis::{anthropic, anthropic_error, openai, openai_error};
use crate::samples::{ask, falling_back, turn, utterance};
use crate::world::World;

/// The name of the secret that holds the API key.
const KEY: &str = "api-key";

/// A service whose integration speaks OpenAI's format.
async fn with_openai() -> World {
    let world = World::new().await;
    let key = json!({"prefix": "Bearer ", "secret": world.secret(KEY)});
    started(
        world,
        json!({"format": {"openai": {"model": "gpt-4o-mini"}}, "headers": {"Authorization": key}}),
    )
    .await
}

/// A service whose integration speaks Anthropic's format.
async fn with_anthropic() -> World {
    let world = World::new().await;
    let key = json!({"secret": world.secret(KEY)});
    started(
        world,
        json!({"format": {"anthropic": {"model": "claude-sonnet-5"}}, "headers": {"x-api-key": key}}),
    )
    .await
}

async fn started(mut world: World, settings: Value) -> World {
    world.configure("echo", settings).await;
    world.start().await;
    world
}

/// A turn whose history begins with a reply, and whose question has an image.
fn turn_with_image() -> Turn {
    let image = StoredFile {
        key: "in/msg_a_m1/photo.jpg".to_owned(),
        name: "photo.jpg".to_owned(),
        mime_type: "image/jpeg".to_owned(),
        bytes: 1,
    };
    let history = vec![
        utterance(Role::Assistant, "Hello.", None),
        utterance(Role::User, "Look", None),
    ];
    let question = Utterance {
        files: vec![IncomingFile::Stored(image)],
        ..utterance(Role::User, "", None)
    };
    let last = utterance(Role::User, "What is it?", None);
    Turn {
        task: ask("echo", history, vec![question, last]),
        ..turn("a")
    }
}

/// The text of a turn's reply, and what is kept beside it.
async fn reply_of(world: &World, turn: &Turn) -> (String, Map<String, Value>) {
    world.offer(turn).await;
    let result = world.wait_for_delivery(turn).await.conclusion.result;
    let TurnResult::Reply {
        content,
        metadata: Some(metadata),
        ..
    } = result
    else {
        panic!("no reply with metadata: {result:?}")
    };
    (content, metadata)
}

/// The first value of this name, anywhere in what was sent.
fn find<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Object(fields) => fields
            .get(name)
            .or_else(|| fields.values().find_map(|field| find(field, name))),
        Value::Array(items) => items.iter().find_map(|item| find(item, name)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// The link under which the image was sent.
fn link(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap();
    find(&body, "url").unwrap().as_str().unwrap().to_owned()
}

#[tokio::test]
async fn openai_is_asked_and_its_usage_is_kept() {
    let world = with_openai().await;
    world.backend.respond_with(|call| openai(call, &new_secret(KEY)));
    let (content, metadata) = reply_of(&world, &turn_with_image()).await;
    // The prompt, two of the history, two of the question.
    assert_eq!(content, "5: What is it?");
    assert_eq!(metadata["usage"]["total_tokens"], 29);
    assert_eq!(metadata["model"], "gpt-4o-mini-2024-07-18");
    let call = world.backend.calls().remove(0);
    assert!(link(&call.body).contains("/in/msg_a_m1/photo.jpg?type=image/jpeg&expires="));
    assert_eq!(call.header("webhook-id"), Some("turn_a_m1"));
}

#[tokio::test]
async fn anthropic_is_asked_and_its_usage_is_kept() {
    let world = with_anthropic().await;
    world
        .backend
        .respond_with(|call| anthropic(call, &new_secret(KEY)));
    let (content, metadata) = reply_of(&world, &turn_with_image()).await;
    // What stands for the time before, the reply, and all that the user said since.
    assert_eq!(content, "3: What is it?");
    assert_eq!(metadata["usage"]["output_tokens"], 503);
    assert_eq!(metadata["stop_reason"], "end_turn");
    let call = world.backend.calls().remove(0);
    assert!(link(&call.body).contains("/in/msg_a_m1/photo.jpg?type=image/jpeg&expires="));
}

#[tokio::test]
async fn an_empty_account_is_given_up_at_once() {
    let world = with_openai().await;
    world
        .backend
        .respond_with(|_| openai_error(429, "insufficient_quota", "You exceeded your current quota"));
    world.offer(&turn("a")).await;
    world.wait_until_gone(&turn("a")).await;
    let letter = world.dead_letters().await.remove(0);
    assert_eq!(letter.class, "insufficient_quota");
    assert_eq!(
        letter.cause,
        "HTTP 429: insufficient_quota: You exceeded your current quota"
    );
    assert_eq!(world.backend.calls().len(), 1);
    assert_eq!(
        world
            .count(
                "webhook_requests_total",
                "integration=\"echo\",result=\"insufficient_quota\","
            )
            .await,
        1
    );
}

#[tokio::test]
async fn a_wish_for_a_tool_is_given_up_at_once() {
    let world = with_anthropic().await;
    let tool = json!({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}});
    world.backend.respond_with(move |_| {
        Scripted::Reply(json!({"type": "message", "content": [tool], "stop_reason": "tool_use"}))
    });
    world.offer(&turn("a")).await;
    world.wait_until_gone(&turn("a")).await;
    let letter = world.dead_letters().await.remove(0);
    assert_eq!((letter.class.as_str(), letter.attempts.len()), ("tool_call", 1));
}

#[tokio::test]
async fn an_overloaded_api_is_asked_again() {
    let world = with_anthropic().await;
    let calls = AtomicUsize::new(0);
    world.backend.respond_with(move |call| {
        if calls.fetch_add(1, Ordering::Relaxed) == 0 {
            anthropic_error(529, "overloaded_error", "Overloaded")
        } else {
            anthropic(call, &new_secret(KEY))
        }
    });
    let (content, _) = reply_of(&world, &turn("a")).await;
    assert_eq!(content, "1: Hello!");
    let progress = world.progress(&turn("a").id).await.unwrap();
    assert_eq!(progress.attempts.len(), 1);
    assert_eq!(progress.attempts[0].class, "server_error");
    assert_eq!(
        progress.attempts[0].detail,
        "HTTP 529: overloaded_error: Overloaded"
    );
}

#[tokio::test]
async fn a_fallback_is_asked_in_its_own_format() {
    let mut world = World::new().await;
    let secret = world.secret(KEY);
    let claude = json!({"format": {"anthropic": {"model": "claude-sonnet-5"}},
        "headers": {"x-api-key": {"secret": secret}}});
    let gpt = json!({"format": {"openai": {"model": "gpt-4o-mini"}},
        "headers": {"Authorization": {"prefix": "Bearer ", "secret": secret}}});
    world.configure("echo", claude).await;
    world.configure("spare", gpt).await;
    world.start().await;
    world
        .backend
        .respond_with(|call| match call.header("x-integration-id") {
            Some("spare") => openai(call, &new_secret(KEY)),
            _ => anthropic_error(401, "authentication_error", "invalid x-api-key"),
        });
    let (content, metadata) = reply_of(&world, &falling_back(turn_with_image())).await;
    assert_eq!(content, "5: What is it?");
    assert_eq!(metadata["finish_reason"], "stop");
}

#[tokio::test]
async fn a_key_that_the_api_repeats_is_in_no_dead_letter() {
    let world = with_openai().await;
    world.backend.respond_with(|call| {
        let key = call.header("authorization").unwrap();
        openai_error(
            401,
            "invalid_api_key",
            &format!("Incorrect API key provided: {key}"),
        )
    });
    world.offer(&turn("a")).await;
    world.wait_until_gone(&turn("a")).await;
    let letter = world.dead_letters().await.remove(0);
    assert_eq!(letter.class, "unauthorized");
    assert_eq!(
        letter.cause,
        "HTTP 401: invalid_api_key: Incorrect API key provided: Bearer [secret]"
    );
}
