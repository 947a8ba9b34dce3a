//! Shows a chat that the bot works on an answer. A courtesy: it is tried once, and what goes wrong is only counted.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use bus::Hints;
use channels::SendError;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use outbound::Client;
use proto_schemas::ids::ConnectionId;
use proto_schemas::typing::Typing;
use runtime::clock;
use tokio::time::Instant;

use crate::metrics::EgressMetrics;
use crate::stage::Sender;

/// Chats that are shown it at once. Those above are not shown it this time.
const IN_FLIGHT: usize = 64;

/// Who shows it.
pub(crate) struct Shower {
    pub(crate) sender: Arc<Sender>,
    pub(crate) client: Client,
    pub(crate) metrics: Arc<EgressMetrics>,
}

impl Shower {
    /// Shows what it hears of, until the connection to the broker is closed for good.
    pub(crate) async fn run(self, mut hints: Hints) -> Result<(), Infallible> {
        let mut showing = FuturesUnordered::new();
        // Connections whose platform asked for a pause.
        let mut paused: HashMap<ConnectionId, Instant> = HashMap::new();
        loop {
            tokio::select! {
                Some(pause) = showing.next(), if !showing.is_empty() => {
                    paused.extend(pause);
                }
                hint = hints.next::<Typing>() => {
                    let Some(hint) = hint else { return Ok(()) };
                    let now = Instant::now();
                    paused.retain(|_, until| *until > now);
                    if showing.len() < IN_FLIGHT && !paused.contains_key(&hint.connection) {
                        showing.push(self.show(hint));
                    }
                }
            }
        }
    }

    /// Shows it once; tells how long the platform wants to be left alone, if it does.
    async fn show(&self, hint: Typing) -> Option<(ConnectionId, Instant)> {
        let connection = self.sender.registry.connection(&hint.connection)?;
        let account = self.sender.accounts.open(&connection).ok()?;
        let now_secs = clock::now().as_secs();
        let shown = account.show_typing(&self.client, &hint.address, now_secs).await;
        self.metrics.typed(account.kind(), shown.as_ref().err());
        match shown {
            Err(SendError::RateLimited { retry_after, .. }) => {
                Some((hint.connection, Instant::now() + retry_after))
            }
            Err(error @ (SendError::Transient { .. } | SendError::Permanent { .. })) => {
                tracing::debug!(%error, connection = %hint.connection, "the chat was not shown that the bot works on an answer");
                None
            }
            Ok(()) => None,
        }
    }
}
