//! What becomes a turn, and how it looks.

use proto_schemas::context::Context;
use proto_schemas::subjects;
use proto_schemas::topology::{CONTEXT_EVENTS, CONTEXTS, INBOX_EVENTS};
use proto_schemas::turn::{Task, Turn};
use serde_json::json;

use crate::samples::{asked, message, received, reply, reset, text};
use crate::world::{Caller, World};

/// Has the first message answered; its turn.
async fn answer_first(world: &World, caller: &mut Caller) -> Turn {
    world.append(&text(1)).await;
    let (work, first) = caller.next().await;
    world.commit(&first, reply(&first, "a1")).await;
    work.ack().await.unwrap();
    first
}

#[tokio::test]
async fn the_first_message_becomes_a_turn_with_all_that_is_needed() {
    let settings = json!({
        "context": {"system_prompt": "Be brief."},
        "error_message": "Sorry.",
    });
    let world = World::started(settings).await;
    let entry = text(1);
    let sequence = world.append(&entry).await;
    let (_, turn) = world.caller().await.next().await;

    let received = received(1);
    assert_eq!((turn.context_revision, turn.answered_through), (0, sequence));
    assert_eq!(
        (turn.bot_name.as_str(), &turn.bot),
        ("Support Bot", &received.bot)
    );
    assert_eq!(
        (&turn.connection, turn.channel),
        (&received.connection, received.channel)
    );
    assert_eq!((&turn.address, &turn.user), (&received.address, &received.user));
    assert_eq!(
        (turn.answers.as_slice(), turn.answered_before.len()),
        (&[message(1)][..], 0)
    );
    assert_eq!(turn.id.as_str(), "turn_a_m1");
    let Task::Ask {
        integration,
        arm,
        system_prompt,
        error_message,
        ..
    } = &turn.task
    else {
        panic!("{turn:?}")
    };
    assert_eq!(
        (integration.as_str(), arm.as_ref(), system_prompt.as_deref()),
        ("echo", None, Some("Be brief."))
    );
    assert_eq!(error_message, "Sorry.");
    assert_eq!(asked(&turn), (vec![], vec!["q1"]));
    world.wait_until_settled(&INBOX_EVENTS).await;
    assert_eq!(world.slots("accepted").await, 1);
}

#[tokio::test]
async fn a_turn_carries_the_revision_and_the_history_of_its_context() {
    let world = World::started(json!({})).await;
    let mut caller = world.caller().await;
    answer_first(&world, &mut caller).await;
    world.wait_until_settled(&CONTEXT_EVENTS).await;

    world.append(&text(2)).await;
    let (_, second) = caller.next().await;
    let context = world.bus.get::<proto_schemas::context::Context>(
        &proto_schemas::topology::CONTEXTS,
        second.conversation.as_str(),
    );
    assert_eq!(second.context_revision, context.await.unwrap().unwrap().revision);
    assert_eq!(second.answered_before, [message(1)]);
    assert_eq!(asked(&second), (vec!["q1", "a1"], vec!["q2"]));
}

#[tokio::test]
async fn a_reset_becomes_a_turn_that_forgets_what_waits_before_it() {
    let world = World::started(json!({"reset_message": "Forgotten."})).await;
    let mut caller = world.caller().await;
    world.append(&text(1)).await;
    let (work, first) = caller.next().await;
    world.append(&text(2)).await;
    world.append(&reset(3)).await;
    let last = world.append(&text(4)).await;
    world.commit(&first, reply(&first, "a1")).await;
    work.ack().await.unwrap();

    let (work, forgetting) = caller.next().await;
    assert_eq!(
        forgetting.task,
        Task::Reset {
            message: "Forgotten.".to_owned()
        }
    );
    assert_eq!(forgetting.answers, [message(2), message(3)]);
    world.commit(&forgetting, reply(&forgetting, "")).await;
    work.ack().await.unwrap();
    let (_, fresh) = caller.next().await;
    assert_eq!(
        (asked(&fresh), fresh.answered_through),
        ((vec![], vec!["q4"]), last)
    );
    world.wait_until_settled(&INBOX_EVENTS).await;
}

#[tokio::test]
async fn what_waits_is_asked_together_where_the_bot_wants_it() {
    let world = World::started(json!({"overlap": "coalesce"})).await;
    let mut caller = world.caller().await;
    world.append(&text(1)).await;
    let (work, first) = caller.next().await;
    for number in 2..=4 {
        world.append(&text(number)).await;
    }
    world.commit(&first, reply(&first, "a1")).await;
    work.ack().await.unwrap();
    let (work, second) = caller.next().await;
    assert_eq!(asked(&second), (vec!["q1", "a1"], vec!["q2", "q3", "q4"]));
    world.commit(&second, reply(&second, "a2")).await;
    work.ack().await.unwrap();
    world.wait_until_settled(&INBOX_EVENTS).await;
}

#[tokio::test]
async fn history_that_the_broker_would_not_take_goes_oldest_half_first() {
    let world = World::started(json!({"context": {"max_bytes": 1 << 20, "max_messages": 100}})).await;
    let mut caller = world.caller().await;
    world.append(&text(1)).await;
    let (work, first) = caller.next().await;
    let mut context = domain::conclude::next_context(&first, reply(&first, "a1"));
    let said = |tag: &str| {
        let mut said = context.utterances[0].clone();
        said.text = format!("{tag}{}", "x".repeat(150_000));
        said
    };
    context.utterances = ["a", "b", "c", "d"].map(said).to_vec();
    world.write_context(&context, 0).await;
    work.ack().await.unwrap();

    // Four times 150 kB of history and this are more than 1 MiB; two of them are not.
    let mut large = received(2);
    large.text = "y".repeat(600_000);
    world
        .append(&proto_schemas::inbox::InboxEntry::Received(large))
        .await;
    let (_, turn) = caller.next().await;
    let (history, question) = asked(&turn);
    let tags: Vec<_> = history.iter().map(|text| &text[..1]).collect();
    assert_eq!((tags, question[0].len()), (vec!["c", "d"], 600_000));
    assert!(world.dead_letters().await.is_empty());
}

#[tokio::test]
async fn a_turn_after_a_removal_is_built_on_the_removal() {
    let world = World::started(json!({})).await;
    let mut caller = world.caller().await;
    let first = answer_first(&world, &mut caller).await;
    world.wait_until_settled(&INBOX_EVENTS).await;
    let (key, trace) = (first.conversation.as_str(), bus::TraceContext::new());
    let context: bus::Found<Context> = world.bus.look_up(&CONTEXTS, key).await.unwrap();
    let removal = world.bus.remove(&CONTEXTS, key, context.revision, trace);
    let marker = removal.await.unwrap();
    world.remove_inbox().await;
    world.append(&text(2)).await;
    let (_, second) = caller.next().await;
    assert_eq!(second.context_revision, marker);
    assert_eq!(asked(&second), (vec![], vec!["q2"]));
}

#[tokio::test]
async fn a_context_that_was_removed_is_no_event() {
    let world = World::started(json!({})).await;
    let subject = subjects::key("contexts", "conv_a");
    let marker = vec![("KV-Operation".to_owned(), "DEL".to_owned())];
    let removal = bus::Outgoing::raw(subject, bytes::Bytes::new(), "removal", marker);
    world.bus.publish(removal).await.unwrap();
    world.wait_until_settled(&CONTEXT_EVENTS).await;
    assert_eq!(world.outcomes("done").await, 1);
    assert!(world.dead_letters().await.is_empty());
}
