//! How the pipeline does just now: what waits at each stage, what was given up, how many turns were finished, and which
//! webhooks are left in peace. The number of requests grows with the breakers only: one for each that is shown, and for
//! each before them that was found under earlier settings.

use bus::{Bus, BusError};
use proto_schemas::dead_letter::Stage;
use proto_schemas::ids::UnixMillis;
use proto_schemas::topology::{
    CONTEXT_EVENTS, ConsumerSpec, DEAD_LETTERS, DELIVERY_WORK, FETCH_WORK, INBOX_EVENTS, REGISTRY,
    TRANSCRIPTS, TURN_WORK,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::breakers::{self, Breaker};

/// How many breakers are shown: each costs a request.
pub const MOST_BREAKERS: usize = 20;

/// Whose work is looked at, in the order a message meets them.
const LOOKED_AT: [(Stage, ConsumerSpec); 5] = [
    (Stage::ContextBuilder, INBOX_EVENTS),
    (Stage::ContextBuilder, CONTEXT_EVENTS),
    (Stage::AttachmentFetcher, FETCH_WORK),
    (Stage::WebhookCaller, TURN_WORK),
    (Stage::Egress, DELIVERY_WORK),
];

/// How the pipeline does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Overview {
    /// When it was looked at, by the broker's clock.
    pub at: UnixMillis,
    /// What waits at each stage.
    pub waiting: Vec<Waiting>,
    /// How many dead letters there are.
    pub dead_letters: u64,
    /// How many turns were ever finished: two looks tell how many are finished in a second.
    pub turns_finished: u64,
    /// The first 20 webhooks that are left in peace or tried out.
    pub breakers: Vec<Breaker>,
    /// Whether there may be more of them.
    pub has_more_breakers: bool,
}

/// What a stage has to do of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Waiting {
    /// The stage.
    pub stage: Stage,
    /// The stream.
    pub stream: String,
    /// Messages that were not handed out yet.
    pub pending: u64,
    /// Messages that were handed out and are not settled: in work, or waiting to be tried again.
    pub in_work: u64,
    /// Those of them that were handed out more than once.
    pub redelivered: u64,
    /// When the oldest message that is not settled was stored; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<UnixMillis>,
}

/// Looks.
///
/// # Errors
/// [`BusError`] when the broker is away or refuses.
pub async fn look(bus: &Bus) -> Result<Overview, BusError> {
    let mut waiting = Vec::with_capacity(LOOKED_AT.len());
    for (stage, consumer) in &LOOKED_AT {
        waiting.push(wait_at(bus, *stage, consumer).await?);
    }
    let (breakers, has_more_breakers) = breakers::some(bus, MOST_BREAKERS).await?;
    Ok(Overview {
        waiting,
        dead_letters: bus.holdings(DEAD_LETTERS.name).await?.messages,
        turns_finished: bus.holdings(TRANSCRIPTS.name).await?.last,
        at: UnixMillis(bus.time(&REGISTRY).await?.0 / 1000),
        breakers,
        has_more_breakers,
    })
}

async fn wait_at(bus: &Bus, stage: Stage, consumer: &ConsumerSpec) -> Result<Waiting, BusError> {
    let bus::Lag { state, oldest } = bus.lag(consumer).await?;
    Ok(Waiting {
        stage,
        stream: consumer.stream.to_owned(),
        pending: state.pending,
        in_work: state.ack_pending,
        redelivered: state.redelivered,
        oldest,
    })
}
