//! A turn that is answered: what the webhook is sent, what is committed and delivered.

use proto_schemas::content::Role;
use proto_schemas::context::TurnResult;
use proto_schemas::fetch::Fetch;
use proto_schemas::subjects;
use proto_schemas::topology::FETCHES;
use proto_schemas::turn::{Task, Turn};
use serde_json::{Value, json};
use testkit::backend::Scripted;
use testkit::callback::{new_secret, sign_push};

use crate::samples::{ask, reply, turn, utterance};
use crate::world::World;

/// What a webhook may answer in bytes.
const MAX_REPLY_BYTES: usize = 256 * 1024;

#[tokio::test]
async fn the_webhook_is_sent_the_guides_payload() {
    let world = World::started(json!({})).await;
    let first = turn("a");
    let history = vec![
        utterance(Role::User, "Hi", None),
        utterance(Role::Assistant, "Hello.", None),
    ];
    let Task::Ask { question, .. } = first.task.clone() else {
        unreachable!("it asks")
    };
    world
        .offer(&Turn {
            task: ask("echo", history, question),
            ..first
        })
        .await;

    let call = world.backend.wait_for_calls(1).await.remove(0);
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!(
        body,
        json!({
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Hi"},
                {"role": "assistant", "content": "Hello."},
                {"role": "user", "content": "Hello!"},
            ],
            "conversation_id": "conv_a",
            "user": {
                "id": "user_123",
                "platform": "telegram",
                "name": "John Doe",
                "username": "johndoe",
            },
            "bot": {"id": "bot_456", "name": "Support Bot"},
            "metadata": {"channel": "telegram", "chat_id": "123456789", "message_id": "789"},
        })
    );
    assert_eq!(call.header("content-type"), Some("application/json"));
    assert_eq!(call.header("webhook-id"), Some("turn_a_m1"));
    assert_eq!(call.header("x-attempt"), Some("1"));
    assert_eq!(call.header("webhook-signature"), None);
}

#[tokio::test]
async fn the_signature_is_that_of_the_specification() {
    let mut world = World::new().await;
    world
        .configure("echo", json!({"signing_secret": world.secret("signing")}))
        .await;
    world.start().await;
    world.offer(&turn("a")).await;
    let call = world.backend.wait_for_calls(1).await.remove(0);
    let timestamp = call.header("webhook-timestamp").unwrap().parse().unwrap();
    for (name, value) in sign_push(&new_secret("signing"), "turn_a_m1", timestamp, &call.body) {
        assert_eq!(call.header(name), Some(value.as_str()), "{name}");
    }
}

#[tokio::test]
async fn an_answer_is_committed_and_delivered_and_the_turn_leaves_its_slot() {
    let world = World::started(json!({})).await;
    let turn = turn("a");
    world.backend.respond_with(|_| {
        Scripted::Reply(json!({"content": "Hi there", "metadata": {"model": "m"}, "unknown": 1}))
    });
    world.offer(&turn).await;
    let delivery = world.wait_for_delivery(&turn).await;
    world.wait_until_gone(&turn).await;

    let metadata = json!({"model": "m"}).as_object().cloned();
    let result = TurnResult::Reply {
        content: "Hi there".to_owned(),
        attachments: vec![],
        buttons: vec![],
        metadata,
    };
    let context = world.context(&turn).await.unwrap().record;
    assert_eq!(context.last.result, result);
    assert_eq!(
        (context.last.attempts, context.answered_through),
        (1, turn.answered_through)
    );
    assert_eq!(context.answered, turn.answers);
    let said: Vec<_> = context
        .utterances
        .iter()
        .map(|said| (said.role, said.text.as_str()))
        .collect();
    assert_eq!(said, [(Role::User, "Hello!"), (Role::Assistant, "Hi there")]);
    assert_eq!(delivery.conclusion, context.last);
    assert_eq!(
        (delivery.address, delivery.answers),
        (turn.address.clone(), turn.answers.clone())
    );
    assert!(
        world.progress(&turn.id).await.is_none(),
        "progress is written only when something failed"
    );
    assert_eq!(world.outcomes("done").await, 1);
}

#[tokio::test]
async fn nothing_to_say_is_committed_and_travels_on() {
    let world = World::started(json!({})).await;
    world.backend.respond_with(|call| match call.conversation_id() {
        "conv_empty" => Scripted::text(" "),
        _ => Scripted::status(204),
    });
    for turn in [turn("silent"), turn("empty")] {
        world.offer(&turn).await;
        let delivery = world.wait_for_delivery(&turn).await;
        assert_eq!(delivery.conclusion.result, TurnResult::NoReply);
        let context = world.context(&turn).await.unwrap().record;
        assert_eq!(context.last.result, TurnResult::NoReply);
        assert_eq!(context.utterances.len(), 1, "the question alone");
    }
}

#[tokio::test]
async fn the_files_of_a_reply_are_asked_for_before_it_is_delivered() {
    let world = World::started(json!({})).await;
    let turn = turn("a");
    let file = json!({"url": "https://files.example/r.pdf", "filename": "r.pdf"});
    world
        .backend
        .respond_with(move |_| Scripted::Reply(json!({"content": "", "attachments": [file]})));
    world.offer(&turn).await;
    let delivery = world.wait_for_delivery(&turn).await;
    let found = world
        .bus
        .last(FETCHES.name, &subjects::fetch_out(&turn.id))
        .await
        .unwrap();
    let Fetch::Out { files, .. } = found.unwrap().decode().unwrap() else {
        panic!("no fetch of a reply")
    };
    assert_eq!(files, delivery.conclusion.result.attachments());
}

#[tokio::test]
async fn the_largest_reply_is_taken() {
    let world = World::started(json!({})).await;
    let turn = turn("a");
    let frame = json!({"content": ""}).to_string().len();
    world
        .backend
        .respond_with(move |_| Scripted::text("x".repeat(MAX_REPLY_BYTES - frame)));
    world.offer(&turn).await;
    let delivery = world.wait_for_delivery(&turn).await;
    assert_eq!(delivery.conclusion.result.text().len(), MAX_REPLY_BYTES - frame);
}

#[tokio::test]
async fn a_reset_asks_nobody_and_leaves_nothing_behind() {
    let world = World::started(json!({})).await;
    let first = turn("a");
    let revision = world.commit(&crate::samples::context(&first, "old"), 0).await;
    let reset = Turn {
        task: Task::Reset {
            message: "Done.".to_owned(),
        },
        context_revision: revision,
        ..crate::samples::rival(&first)
    };
    world.offer(&reset).await;
    let delivery = world.wait_for_delivery(&reset).await;
    assert_eq!(
        delivery.conclusion.result,
        TurnResult::Reset {
            message: "Done.".to_owned()
        }
    );
    let context = world.context(&reset).await.unwrap().record;
    assert!(context.utterances.is_empty());
    assert!(world.backend.calls().is_empty());
}

#[tokio::test]
async fn the_reply_is_what_the_next_turn_is_built_on() {
    let world = World::started(json!({})).await;
    let first = turn("a");
    world.offer(&first).await;
    world.wait_for_delivery(&first).await;
    let context = world.context(&first).await.unwrap();
    world.take_delivery().await;

    let question = vec![utterance(Role::User, "And?", None)];
    let second = Turn {
        task: ask("echo", context.record.utterances, question),
        context_revision: context.revision,
        answered_through: 2,
        ..crate::samples::rival(&first)
    };
    world.offer(&second).await;
    let delivery = world.wait_for_delivery(&second).await;
    assert_eq!(delivery.conclusion.result, reply("2: And? | heard: Hello!"));
    let texts: Vec<_> = world.context(&second).await.unwrap().record.utterances;
    let texts: Vec<_> = texts.iter().map(|said| said.text.as_str()).collect();
    assert_eq!(
        texts,
        ["Hello!", "1: Hello! | heard: ", "And?", "2: And? | heard: Hello!"]
    );
}
