//! Counting the arms of a split: of one bot, of some time, of so many turns at most.

use std::time::Duration;

use bus::{Outgoing, TraceContext};
use operations::ab::{Counted, count};
use proto_schemas::ids::BotId;
use proto_schemas::transcript::Transcript;

use crate::broker::Broker;

const TRANSCRIPT: &str = include_str!("../../../../../proto-schemas/examples/transcript.v1/with-an-arm.json");
const HOUR: Duration = Duration::from_secs(60 * 60);

impl Broker {
    async fn turn_of(&self, bot: &BotId, number: u32) {
        let mut transcript: Transcript = serde_json::from_str(TRANSCRIPT).unwrap();
        transcript.bot = bot.clone();
        let subject = format!("transcripts.{}", transcript.conversation);
        let identity = format!("{bot}:{number}");
        let message = Outgoing::new(subject, &transcript, &identity, TraceContext::new());
        self.bus.publish(message.unwrap()).await.unwrap();
    }

    async fn counted(&self, bot: &BotId, since: Duration, most: usize) -> (u64, bool) {
        let Counted { report, is_whole } = count(&self.bus, bot, &[], since, most).await.unwrap();
        (report.turns(), is_whole)
    }
}

#[tokio::test]
async fn turns_of_another_bot_or_of_another_time_do_not_count() {
    let broker = Broker::start().await;
    let (bot, other) = (BotId::new("b").unwrap(), BotId::new("other").unwrap());
    assert_eq!(broker.counted(&bot, HOUR, 9).await, (0, true));
    broker.turn_of(&bot, 1).await;
    broker.turn_of(&other, 1).await;
    assert_eq!(broker.counted(&bot, HOUR, 9).await, (1, true));
    assert_eq!(broker.counted(&bot, Duration::ZERO, 9).await, (0, true));
}

#[tokio::test]
async fn a_count_that_ends_early_says_so() {
    let broker = Broker::start().await;
    let bot = BotId::new("b").unwrap();
    // More than a page of them.
    for number in 0..300 {
        broker.turn_of(&bot, number).await;
    }
    let (counted, is_whole) = broker.counted(&bot, HOUR, 1).await;
    assert!(counted < 300 && !is_whole, "{counted}");
    assert_eq!(broker.counted(&bot, HOUR, 300).await, (300, true));
}
