//! What each platform lets one account send, as rates for all replicas together (`channels.md`, sections 2.5.6, 3.5.8 and 4.5.8).

use std::time::Duration;

use domain::rate::Rate;
use proto_schemas::content::{ChannelKind, ReplyAddress};

/// Calls of one account in flight. Telegram answers 429 above 1,000; a callback's owner may be a small server.
pub(crate) const IN_FLIGHT: usize = 64;
/// Calls of one account that may wait. More wait in the broker.
pub(crate) const WAITING: usize = 256;
/// A longer wait for a limit is spent in the broker, not in the mailbox.
pub(crate) const LONGEST_WAIT_HERE: Duration = Duration::from_secs(5);

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// A lane of an account: what kind of chat it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// A chat with one person.
    Private,
    /// A chat with several.
    Group,
}

/// The limit of a whole account: Telegram wants about 30 messages a second over all chats, Slack several hundred a minute,
/// Discord at most 50 requests in any second.
pub(crate) fn account_rate(kind: ChannelKind) -> Option<Rate> {
    match kind {
        ChannelKind::Http => None,
        ChannelKind::Telegram => Some(rate(30, SECOND, 5)),
        ChannelKind::Slack => Some(rate(5, SECOND, 5)),
        ChannelKind::Discord => Some(rate(36, SECOND, 10)),
    }
}

/// The limit of one chat. Telegram wants one message a second, short bursts allowed, and in a group at most 20 in any
/// minute; Slack one a second in a channel, whatever its threads; Discord is known to take five in five seconds.
pub(crate) fn chat_rate(kind: ChannelKind, lane: Lane) -> Option<Rate> {
    match (kind, lane) {
        (ChannelKind::Http, Lane::Private | Lane::Group) => None,
        (ChannelKind::Telegram, Lane::Private) => Some(rate(1, SECOND, 5)),
        (ChannelKind::Telegram, Lane::Group) => Some(rate(14, MINUTE, 5)),
        (ChannelKind::Slack, Lane::Private | Lane::Group) => Some(rate(1, SECOND, 1)),
        (ChannelKind::Discord, Lane::Private | Lane::Group) => Some(rate(1, SECOND, 4)),
    }
}

fn rate(calls: u32, per: Duration, burst: u32) -> Rate {
    Rate { calls, per, burst }
}

/// Which lane an address is. Telegram's groups and channels have negative identifiers; elsewhere lanes are alike.
pub(crate) fn lane(address: &ReplyAddress) -> Lane {
    if address.chat_id.starts_with('-') {
        Lane::Group
    } else {
        Lane::Private
    }
}
