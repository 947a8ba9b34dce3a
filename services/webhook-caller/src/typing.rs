//! Tells egress that an answer is being waited for, so that the chat can show it.

use std::pin::pin;
use std::time::Duration;

use bus::{Bus, TraceContext};
use domain::typing::{SHOWN_AFTER, shown_every};
use proto_schemas::subjects;
use proto_schemas::turn::Turn;
use proto_schemas::typing::Typing;
use registry::Registry;
use tokio::time::{Instant, interval_at};

/// Waits for `answer`, and tells of the waiting where the turn's channel can show it and its connection wants it.
pub(crate) async fn told<T>(
    bus: &Bus,
    registry: &Registry,
    turn: &Turn,
    trace: TraceContext,
    answer: impl Future<Output = T>,
) -> T {
    let wanted = shown_every(turn.channel).filter(|_| {
        registry
            .connection(&turn.connection)
            .is_some_and(|connection| connection.typing)
    });
    match wanted {
        Some(every) => repeating(bus, turn, trace, every, answer).await,
        None => answer.await,
    }
}

async fn repeating<T>(
    bus: &Bus,
    turn: &Turn,
    trace: TraceContext,
    every: Duration,
    answer: impl Future<Output = T>,
) -> T {
    let mut answer = pin!(answer);
    let mut ticks = interval_at(Instant::now() + SHOWN_AFTER, every);
    loop {
        tokio::select! {
            biased;
            answer = &mut answer => return answer,
            _ = ticks.tick() => {
                let typing = Typing {
                    connection: turn.connection.clone(),
                    address: turn.address.clone(),
                };
                if let Err(error) = bus.hint(subjects::typing(&turn.conversation), &typing, trace).await {
                    tracing::debug!(%error, "the chat is not shown that the bot works on an answer");
                }
            }
        }
    }
}
