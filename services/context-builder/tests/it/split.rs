//! A bot whose conversations are shared out over several webhooks.

use std::collections::BTreeSet;

use bus::{Outgoing, TraceContext};
use proto_schemas::ids::{BotId, ConversationId, MessageId};
use proto_schemas::inbox::{InboxEntry, Received};
use proto_schemas::subjects;
use proto_schemas::turn::{Task, Turn};
use registry::Manifest;
use serde_json::{Value, json};

use crate::samples::{received, reply, reset};
use crate::world::{Caller, World};

/// Settings of a bot that asks `claude` and `gpt`, with these weights.
fn split(by: &str, claude: u32, gpt: u32) -> Value {
    let arms = json!([{"integration": "claude", "weight": claude}, {"integration": "gpt", "weight": gpt}]);
    json!({"integration": null, "split": {"by": by, "arms": arms}})
}

/// Message `number` of a conversation, for a bot.
fn message_of(conversation: &str, number: usize, bot: &str) -> Received {
    Received {
        conversation: ConversationId::new(format!("conv_{conversation}")).unwrap(),
        message_id: MessageId::new(format!("msg_{conversation}_m{number}")).unwrap(),
        bot: BotId::new(bot).unwrap(),
        ..received(number)
    }
}

async fn append(world: &World, received: Received) {
    let subject = subjects::inbox(&received.conversation);
    let identity = received.message_id.to_string();
    let entry = InboxEntry::Received(received);
    let message = Outgoing::new(subject, &entry, &identity, TraceContext::new()).unwrap();
    world.bus.publish(message).await.unwrap();
}

/// The arm of a turn, which is the webhook that it asks.
fn arm(turn: &Turn) -> String {
    match &turn.task {
        Task::Ask { integration, arm, .. } => {
            assert_eq!(arm.as_ref(), Some(integration));
            integration.to_string()
        }
        Task::Reset { .. } => panic!("{} asks nothing", turn.id),
    }
}

/// Says something, has it answered, and returns the arm of its turn.
async fn arm_of(world: &World, caller: &mut Caller, said: Received) -> String {
    append(world, said).await;
    let (work, turn) = caller.next().await;
    world.commit(&turn, reply(&turn, "a")).await;
    work.ack().await.unwrap();
    arm(&turn)
}

#[tokio::test]
async fn a_conversation_keeps_its_arm_and_others_have_others() {
    let mut world = World::started(split("conversation", 1, 1)).await;
    // Another replica chooses alike.
    world.start().await;
    let mut caller = world.caller().await;
    let mut arms = BTreeSet::new();
    for name in ["0", "1", "2", "3", "4", "5"] {
        let mut own = BTreeSet::new();
        for number in 1..=3 {
            own.insert(arm_of(&world, &mut caller, message_of(name, number, "support")).await);
        }
        assert_eq!(own.len(), 1, "conversation {name} is answered by {own:?}");
        arms.extend(own);
    }
    assert_eq!(arms.len(), 2, "all are answered by {arms:?}");
}

#[tokio::test]
async fn messages_are_shared_out_one_by_one_where_the_bot_wants_it() {
    let world = World::started(split("message", 1, 1)).await;
    let mut caller = world.caller().await;
    let mut arms = BTreeSet::new();
    for number in 1..=8 {
        arms.insert(arm_of(&world, &mut caller, message_of("0", number, "support")).await);
    }
    assert_eq!(arms.len(), 2, "all are answered by {arms:?}");
}

#[tokio::test]
async fn the_next_turn_follows_a_changed_split() {
    let world = World::started(split("conversation", 1, 0)).await;
    let mut caller = world.caller().await;
    let first = arm_of(&world, &mut caller, message_of("0", 1, "support")).await;
    assert_eq!(first, "claude");

    world.configure(split("conversation", 0, 1)).await;
    // Whoever knows the later entry knows the one before it as well.
    let later = json!({"bots": [{"id": "later", "name": "L", "integration": "echo"}]});
    let later: Manifest = serde_json::from_value(later).unwrap();
    later.store(&world.bus).await.unwrap();
    append(&world, message_of("later", 1, "later")).await;
    let (work, _) = caller.next().await;
    work.ack().await.unwrap();

    let second = arm_of(&world, &mut caller, message_of("0", 2, "support")).await;
    assert_eq!(second, "gpt");
}

#[tokio::test]
async fn a_reset_has_no_arm_and_changes_none() {
    let world = World::started(split("conversation", 1, 1)).await;
    let mut caller = world.caller().await;
    let before = arm_of(&world, &mut caller, message_of("a", 1, "support")).await;
    world.append(&reset(2)).await;
    let (work, forgetting) = caller.next().await;
    assert!(matches!(forgetting.task, Task::Reset { .. }), "{forgetting:?}");
    world.commit(&forgetting, reply(&forgetting, "")).await;
    work.ack().await.unwrap();
    let after = arm_of(&world, &mut caller, message_of("a", 3, "support")).await;
    assert_eq!(before, after);
}
