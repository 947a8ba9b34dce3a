//! What was said: the latest conversations first, the turns of one oldest first.

use bus::{Outgoing, TraceContext};
use operations::conversations::{recent, turns};
use proto_schemas::ids::ConversationId;
use proto_schemas::topology::TRANSCRIPTS;
use proto_schemas::transcript::Transcript;

use crate::broker::Broker;

const TRANSCRIPT: &str = include_str!("../../../../../proto-schemas/examples/transcript.v1/minimal.json");

impl Broker {
    /// Finishes a turn of a conversation.
    async fn finish(&self, conversation: &str, number: u64) {
        let mut transcript: Transcript = serde_json::from_str(TRANSCRIPT).unwrap();
        transcript.conversation = ConversationId::new(conversation).unwrap();
        transcript.answered_through = number;
        let subject = format!("transcripts.{conversation}");
        let identity = format!("{conversation}:{number}");
        let message = Outgoing::new(subject, &transcript, &identity, TraceContext::new());
        self.bus.publish(message.unwrap()).await.unwrap();
    }

    /// The conversations of all pages, and how many pages there are.
    async fn pages(&self, limit: usize) -> (Vec<String>, usize) {
        let (mut found, mut pages, mut before) = (Vec::new(), 0, None);
        loop {
            let page = recent(&self.bus, before, limit).await.unwrap();
            assert!(page.items.len() <= limit);
            found.extend(page.items.iter().map(|item| item.id.to_string()));
            pages += 1;
            match page.next_cursor {
                Some(cursor) => before = Some(cursor.parse().unwrap()),
                None => return (found, pages),
            }
        }
    }
}

#[tokio::test]
async fn the_latest_conversation_comes_first_and_each_once_on_a_page() {
    let broker = Broker::start().await;
    assert_eq!(broker.pages(2).await, (Vec::new(), 1));
    for (number, conversation) in (1..).zip(["conv_a", "conv_b", "conv_a", "conv_c"]) {
        broker.finish(conversation, number).await;
    }
    let all = ["conv_c", "conv_a", "conv_b"].map(str::to_owned).to_vec();
    assert_eq!(broker.pages(9).await, (all, 1));
    // The older turn of a conversation that the first page had is on the second.
    let split = ["conv_c", "conv_a", "conv_b", "conv_a"]
        .map(str::to_owned)
        .to_vec();
    assert_eq!(broker.pages(2).await, (split, 2));
}

#[tokio::test]
async fn a_busy_conversation_hides_no_other_behind_it() {
    let broker = Broker::start().await;
    broker.finish("conv_old", 1).await;
    for number in 0..1030 {
        broker.finish("conv_busy", number).await;
    }
    let (found, pages) = broker.pages(5).await;
    assert_eq!((found.last().unwrap().as_str(), pages), ("conv_old", 2));
}

#[tokio::test]
async fn turns_that_were_removed_leave_no_hole() {
    let broker = Broker::start().await;
    for number in 0..4 {
        broker.finish(&format!("conv_{number}"), number).await;
    }
    for sequence in [1, 3] {
        broker.bus.delete(TRANSCRIPTS.name, sequence).await.unwrap();
    }
    let left = ["conv_3", "conv_1"].map(str::to_owned).to_vec();
    assert_eq!(broker.pages(1).await.0, left);
}

#[tokio::test]
async fn the_turns_of_a_conversation_are_read_in_order_and_by_page() {
    let broker = Broker::start().await;
    for number in 1..=3 {
        broker.finish("conv_a", number).await;
        broker.finish("conv_b", number).await;
    }
    let id = ConversationId::new("conv_a").unwrap();
    let first = turns(&broker.bus, &id, 0, 2).await.unwrap();
    let from = first.next_cursor.unwrap().parse().unwrap();
    let second = turns(&broker.bus, &id, from, 2).await.unwrap();
    assert_eq!(second.next_cursor, None);
    let numbers: Vec<u64> = first
        .items
        .iter()
        .chain(&second.items)
        .map(|turn| turn.answered_through)
        .collect();
    assert_eq!(numbers, [1, 2, 3]);
}
