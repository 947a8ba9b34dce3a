//! The story of one message of a Gateway: read it, and have it stored as a push is, as long as the lease is ours.
//!
//! Nobody sends a message again that is refused, as platforms do with a push. So what may pass is waited for, and holds
//! back what comes after it; what may not (a conversation in which too many wait) becomes a dead letter.

use std::sync::Arc;
use std::time::Duration;

use bus::{Span, SpanKind};
use bytes::Bytes;
use channels::{Inbound, Refusal, receive_discord_message};
use proto_schemas::content::ChannelKind;
use proto_schemas::ids::ConnectionId;
use registry::Connection;
use runtime::GiveUp;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::lease::Lease;
use super::metrics::EventResult;
use super::session::End;
use super::{GATEWAY_MESSAGES, Gateway};
use crate::error::Refused;
use crate::stage::{Arrival, Taken};

/// How long a message may hold back others: no heartbeat is sent meanwhile, and Discord waits some 40 s for one.
const PATIENCE: Duration = Duration::from_secs(10);
/// How soon is tried again what did not pass.
const PAUSE: Duration = Duration::from_millis(50);

/// Why a message is not dealt with.
enum NotYet {
    /// It may be the next time.
    Wait,
    /// The connection is no more.
    Gone,
}

/// Has the message of one event stored.
///
/// # Errors
/// Why the session ends instead: the Gateway tells the message again to who goes on with it.
pub(super) async fn forward(
    gateway: &Gateway,
    connection: &ConnectionId,
    lease: &Lease,
    stop: &CancellationToken,
    frame: String,
) -> Result<(), End> {
    let bot = lease.session().ok_or(End::Broken)?.bot_user;
    let body = Bytes::from(frame);
    let inbound = receive_discord_message(&body, &bot);
    let spans = gateway.intake.bus.spans();
    let open = spans.receive(None);
    let arrival = Arrival {
        route: GATEWAY_MESSAGES,
        body: &body,
        trace: open.context(),
        lease: Some(lease),
    };
    let began = Instant::now();
    let end = loop {
        match store(gateway, connection, &inbound, &arrival).await {
            Ok(result) => {
                gateway.metrics.message(result);
                // A channel's talk that is not meant for the bot is no message of ours.
                if result != EventResult::Ignored {
                    spans.close(open, || received(result));
                }
                return Ok(());
            }
            Err(NotYet::Gone) => break End::Stopped,
            Err(NotYet::Wait) if lease.is_over() => break End::LeaseOver,
            Err(NotYet::Wait) if stop.is_cancelled() => break End::Stopped,
            Err(NotYet::Wait) if began.elapsed() >= PATIENCE => break End::HeldUp,
            Err(NotYet::Wait) => sleep(PAUSE).await,
        }
    };
    gateway.metrics.message(EventResult::LeftOut);
    tracing::warn!(cause = end.cause(), %connection, "left a message to who goes on with the session");
    Err(end)
}

/// The span of a message that was taken in.
fn received(result: EventResult) -> Span {
    Span::new(SpanKind::Consumer, "receive discord gateway")
        .with("messaging.system", "discord")
        .with("messaging.operation.name", "receive")
        .with("messaging.operation.type", "receive")
        .with("chatbot.channel", ChannelKind::Discord.as_str())
        .with("chatbot.outcome", result.as_str())
}

async fn store(
    gateway: &Gateway,
    id: &ConnectionId,
    inbound: &Result<Inbound, Refusal>,
    arrival: &Arrival<'_>,
) -> Result<EventResult, NotYet> {
    let intake = &gateway.intake;
    let connection = intake
        .connection(ChannelKind::Discord, id.as_str())
        .ok_or(NotYet::Gone)?;
    if gateway.pressure.is_high() || intake.connections.take(id).is_err() {
        return Err(NotYet::Wait);
    }
    match intake.admit(&connection, inbound.clone(), arrival).await {
        Ok(taken) => Ok(counted_as(&taken)),
        Err(refused) => settle(gateway, &connection, arrival, refused).await,
    }
}

/// What follows from a refusal.
async fn settle(
    gateway: &Gateway,
    connection: &Arc<Connection>,
    arrival: &Arrival<'_>,
    refused: Refused,
) -> Result<EventResult, NotYet> {
    match refused {
        Refused::NotStored(_)
        | Refused::FileNotStored(_)
        | Refused::NotHeld
        | Refused::Overloaded
        | Refused::RateLimited(_) => Err(NotYet::Wait),
        Refused::BacklogFull
        | Refused::TooLarge
        | Refused::UnknownConnection
        | Refused::Misconfigured(_)
        | Refused::Unauthorized(_)
        | Refused::BadBody(_)
        | Refused::TooSlow => {
            let give_up = GiveUp::permanent(refused.verdict().code, refused.to_string());
            let buried = gateway.intake.bury(connection, arrival, &give_up).await;
            buried.map(|()| EventResult::Buried).map_err(|_| NotYet::Wait)
        }
    }
}

fn counted_as(taken: &Taken) -> EventResult {
    match taken {
        Taken::Message { duplicate: false, .. } => EventResult::Accepted,
        Taken::Message { duplicate: true, .. } => EventResult::Duplicate,
        Taken::Handshake { .. } | Taken::Ignored => EventResult::Ignored,
        Taken::Buried => EventResult::Buried,
    }
}
