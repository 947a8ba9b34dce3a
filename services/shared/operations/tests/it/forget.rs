//! What is stored of a conversation is counted and removed, and nothing of others.

use std::collections::BTreeSet;
use std::time::Duration;

use operations::forget::{Store, forget, kept, of_user};
use proto_schemas::ids::{ConnectionId, ConversationId};
use serde_json::json;

use crate::broker::Broker;
use crate::samples::{CONVERSATION, letter, received, transcript};

fn only(id: &str) -> BTreeSet<ConversationId> {
    BTreeSet::from([ConversationId::new(id).unwrap()])
}

#[tokio::test]
async fn a_conversation_is_counted_and_removed_and_others_stay() {
    let broker = Broker::start().await;
    for conversation in [CONVERSATION, "conv_other"] {
        let fields = json!({"conversation": conversation});
        broker
            .publish(&format!("inbox.{conversation}"), &received(fields.clone()))
            .await;
        broker
            .publish(&format!("transcripts.{conversation}"), &transcript(fields))
            .await;
    }
    broker
        .publish("dead-letters.webhook-caller.timeout.dl_one", &letter("dl_one"))
        .await;
    let connection = ConnectionId::new("telegram-main").unwrap();
    let found = of_user(&broker.bus, &connection, "42").await.unwrap();
    assert_eq!(found.len(), 2);

    let held = kept(&broker.bus, &only(CONVERSATION)).await.unwrap().unwrap();
    let expected = [
        (Store::Inbox, 1),
        (Store::DeadLetters, 1),
        (Store::Transcripts, 1),
    ];
    assert_eq!(held.entries.into_iter().collect::<Vec<_>>(), expected);
    let removed = forget(&broker.bus, &only(CONVERSATION), Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(removed.entries.into_iter().collect::<Vec<_>>(), expected);
    assert_eq!((removed.files.len(), removed.interrupted), (0, 0));
    assert_eq!(kept(&broker.bus, &only(CONVERSATION)).await.unwrap(), None);
    let other = kept(&broker.bus, &only("conv_other")).await.unwrap().unwrap();
    assert_eq!(other.entries.len(), 2);
}
