//! One connection to the Gateway, from its beginning to its end, whatever the end is.
//!
//! A session at Discord outlives the connections over which it is read: each goes on behind the last event that was
//! dealt with. Events are dealt with one by one, in order.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use proto_schemas::gateway::GatewaySession;
use proto_schemas::ids::ConnectionId;
use registry::DiscordConnection;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use twilight_gateway::error::ReceiveMessageErrorType;
use twilight_gateway::{CloseFrame, ConfigBuilder, Intents, Message, Session, Shard, ShardId, ShardState};
use url::Url;

use super::Gateway;
use super::forward::forward;
use super::frame::Frame;
use super::lease::Lease;
use super::metrics::Beginning;

/// What we are told of: messages in guilds and to the bot alone, with what they say.
const INTENTS: Intents = Intents::GUILD_MESSAGES
    .union(Intents::DIRECT_MESSAGES)
    .union(Intents::MESSAGE_CONTENT);
/// How long the Gateway may say nothing at all. It answers each heartbeat, one every 40 s or so.
const SILENCE: Duration = Duration::from_secs(120);
/// Codes with which the Gateway closes for good: a bad token, sharding, a bad version, intents that are not allowed.
const REFUSALS: [u16; 6] = [4004, 4010, 4011, 4012, 4013, 4014];
/// Codes with which the Gateway ends the session, too: it was made void, its sequence is wrong, or it timed out.
const SESSION_ENDS: [u16; 3] = [4003, 4007, 4009];

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// We were asked to end it.
    Stopped,
    /// Another replica may read by now.
    LeaseOver,
    /// The Gateway, or the network, ended it; the session goes on.
    Closed,
    /// The Gateway knows nothing of the session: another one is to be begun.
    InvalidSession,
    /// The Gateway does not let us in, with this code. An operator has to mend it.
    Refused(u16),
    /// The token cannot be read. An operator has to mend it.
    NoToken,
    /// The Gateway cannot be reached.
    Unreachable,
    /// The Gateway says what is not of the protocol.
    Broken,
    /// A message could not be stored for so long that the Gateway shall keep those behind it.
    HeldUp,
}

impl End {
    /// All causes, for series that are born at zero.
    pub(super) const CAUSES: [&'static str; 9] = [
        "stopped",
        "lease_over",
        "closed",
        "invalid_session",
        "refused",
        "no_token",
        "unreachable",
        "broken",
        "held_up",
    ];

    /// The label.
    pub(super) fn cause(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::LeaseOver => "lease_over",
            Self::Closed => "closed",
            Self::InvalidSession => "invalid_session",
            Self::Refused(_) => "refused",
            Self::NoToken => "no_token",
            Self::Unreachable => "unreachable",
            Self::Broken => "broken",
            Self::HeldUp => "held_up",
        }
    }
}

/// Who reads what.
pub(super) struct Reader<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) connection: &'a ConnectionId,
    pub(super) account: &'a DiscordConnection,
    pub(super) url: &'a Url,
    pub(super) lease: &'a Lease,
    pub(super) stop: &'a CancellationToken,
}

impl Reader<'_> {
    /// Goes on with the session if there is one, or begins one, and reads it until the connection ends.
    pub(super) async fn read(&self) -> End {
        let token = match self.account.token.resolve() {
            Ok(token) => token,
            Err(error) => {
                tracing::error!(%error, connection = %self.connection, "the Gateway cannot be read");
                return End::NoToken;
            }
        };
        let mut shard = shard(token.expose(), self.url, self.lease.session());
        loop {
            let next = tokio::select! {
                biased;
                () = self.stop.cancelled() => {
                    farewell(shard);
                    return End::Stopped;
                }
                next = timeout(SILENCE, shard.next()) => next,
            };
            let heard = match next {
                Ok(Some(Ok(Message::Text(text)))) => self.hear(text).await,
                Ok(Some(Ok(Message::Close(frame)))) => Err(self.closed(frame.as_ref())),
                Ok(Some(Err(error))) if matches!(error.kind(), ReceiveMessageErrorType::Reconnect) => {
                    Err(End::Unreachable)
                }
                // The error's text may hold what people wrote.
                Ok(Some(Err(_))) => Err(End::Broken),
                Ok(None) | Err(_) => Err(End::Closed),
            };
            if let Err(end) = heard {
                return end;
            }
        }
    }

    /// Does what one frame asks for.
    async fn hear(&self, text: String) -> Result<(), End> {
        match Frame::read(&text).map_err(|_| End::Broken)? {
            Frame::Ready(session) => {
                tracing::info!(connection = %self.connection, "a session of the Gateway begins");
                self.gateway.metrics.began(Beginning::Identified);
                self.lease.set_session(Some(session));
            }
            Frame::Resumed { sequence } => {
                tracing::info!(connection = %self.connection, "a session of the Gateway goes on");
                self.gateway.metrics.began(Beginning::Resumed);
                self.lease.reached(sequence);
            }
            Frame::Message { sequence } => {
                let forwarding = forward(self.gateway, self.connection, self.lease, self.stop, text);
                Box::pin(forwarding).await?;
                self.lease.reached(sequence);
            }
            Frame::Other { sequence } => self.lease.reached(sequence),
            Frame::Reconnect | Frame::InvalidSession { may_resume: true } => return Err(End::Closed),
            Frame::InvalidSession { may_resume: false } => {
                self.lease.set_session(None);
                return Err(End::InvalidSession);
            }
            Frame::Talk => {}
        }
        Ok(())
    }

    fn closed(&self, frame: Option<&CloseFrame<'_>>) -> End {
        match frame.map(|frame| frame.code) {
            Some(code) if REFUSALS.contains(&code) => {
                tracing::error!(code, connection = %self.connection, "Discord does not let the bot read its Gateway");
                End::Refused(code)
            }
            Some(code) if SESSION_ENDS.contains(&code) => {
                tracing::info!(code, connection = %self.connection, "the Gateway ended a session");
                self.lease.set_session(None);
                End::InvalidSession
            }
            code => {
                tracing::debug!(?code, connection = %self.connection, "the Gateway closed a connection");
                End::Closed
            }
        }
    }
}

fn shard(token: &str, url: &Url, session: Option<GatewaySession>) -> Shard {
    let config = ConfigBuilder::new(token.to_owned(), INTENTS).proxy_url(base(url));
    let config = match session {
        Some(session) => {
            let resume_url = resume_url(&session.resume_url, url);
            config
                .session(Session::new(session.sequence, session.id))
                .resume_url(resume_url)
        }
        None => config,
    };
    Shard::with_config(ShardId::ONE, config.build())
}

/// Where a session goes on: where the Gateway said, if that is an address to which the token may go as well.
fn resume_url(named: &str, url: &Url) -> String {
    let named = Url::parse(named).ok();
    let sound = named.filter(|named| named.scheme() == url.scheme() && named.has_host());
    base(sound.as_ref().unwrap_or(url))
}

/// The library puts a slash and its own query behind it.
fn base(url: &Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

/// Closes the connection so that the session can be gone on with. The frame goes out with one poll; with more of them the
/// library would connect again.
fn farewell(mut shard: Shard) {
    if !matches!(shard.state(), ShardState::Disconnected { .. }) {
        shard.close(CloseFrame::RESUME);
        drop(shard.next().now_or_never());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_goes_on_where_the_gateway_says_but_never_without_tls() {
        let url = Url::parse("wss://gateway.discord.gg").unwrap();
        for (named, used) in [
            (
                "wss://gateway-us-east1-b.discord.gg",
                "wss://gateway-us-east1-b.discord.gg",
            ),
            (
                "wss://gateway-us-east1-b.discord.gg/",
                "wss://gateway-us-east1-b.discord.gg",
            ),
            ("ws://gateway-us-east1-b.discord.gg", "wss://gateway.discord.gg"),
            ("nonsense", "wss://gateway.discord.gg"),
        ] {
            assert_eq!(resume_url(named, &url), used, "{named}");
        }
    }
}
