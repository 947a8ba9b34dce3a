//! What each platform lets one account send (`channels.md`, sections 2.5.6, 3.5.8 and 4.5.8).

use std::num::NonZeroU32;
use std::time::Duration;

use domain::rate::Rate;
use governor::Quota;
use proto_schemas::content::{ChannelKind, ReplyAddress};

/// Calls of one account in flight. Telegram answers 429 above 1,000; a callback's owner may be a small server.
pub(crate) const IN_FLIGHT: usize = 64;
/// Calls of one account that may wait. More wait in the broker.
pub(crate) const WAITING: usize = 256;
/// A longer wait for a limit is spent in the broker, not in the mailbox.
pub(crate) const LONGEST_WAIT_HERE: Duration = Duration::from_secs(5);

/// Telegram: about 30 messages a second over all chats.
const TELEGRAM_PER_SECOND: u32 = 30;
/// Telegram: one message a second in a chat, short bursts allowed.
const TELEGRAM_CHAT_BURST: NonZeroU32 = NonZeroU32::new(5).unwrap();
/// Telegram: 20 messages a minute in a group.
const TELEGRAM_GROUP_PER_MINUTE: NonZeroU32 = NonZeroU32::new(20).unwrap();
/// Slack: several hundred messages a minute in a workspace.
const SLACK_PER_SECOND: u32 = 5;
/// Discord: 50 requests a second for a bot.
const DISCORD_PER_SECOND: u32 = 50;
/// Discord: about five messages in five seconds in a channel, as its servers are known to ask.
const DISCORD_CHANNEL_BURST: NonZeroU32 = NonZeroU32::new(5).unwrap();
const ONE: NonZeroU32 = NonZeroU32::new(1).unwrap();

/// A lane of an account: what shares a chat's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    /// A chat with one person.
    Private,
    /// A chat with several.
    Group,
}

/// The limit of a whole account, for all replicas together.
pub(crate) fn account_rate(kind: ChannelKind) -> Option<Rate> {
    match kind {
        ChannelKind::Http => None,
        ChannelKind::Telegram => Some(a_second(TELEGRAM_PER_SECOND)),
        ChannelKind::Slack => Some(a_second(SLACK_PER_SECOND)),
        ChannelKind::Discord => Some(a_second(DISCORD_PER_SECOND)),
    }
}

/// So many a second, and all of them at once.
fn a_second(calls: u32) -> Rate {
    Rate {
        calls,
        per: Duration::from_secs(1),
        burst: calls,
    }
}

/// The limit of one chat, for one replica: replies of a conversation leave one after the other anyway.
pub(crate) fn chat_quota(kind: ChannelKind, lane: Lane) -> Option<Quota> {
    match (kind, lane) {
        (ChannelKind::Http, Lane::Private | Lane::Group) => None,
        (ChannelKind::Telegram, Lane::Private) => {
            Some(Quota::per_second(ONE).allow_burst(TELEGRAM_CHAT_BURST))
        }
        (ChannelKind::Telegram, Lane::Group) => Some(Quota::per_minute(TELEGRAM_GROUP_PER_MINUTE)),
        // One message a second in a channel, whatever its threads.
        (ChannelKind::Slack, Lane::Private | Lane::Group) => Some(Quota::per_second(ONE)),
        (ChannelKind::Discord, Lane::Private | Lane::Group) => {
            Some(Quota::per_second(ONE).allow_burst(DISCORD_CHANNEL_BURST))
        }
    }
}

/// Which lane an address is. Telegram's groups and channels have negative identifiers; elsewhere lanes are alike.
pub(crate) fn lane(address: &ReplyAddress) -> Lane {
    if address.chat_id.starts_with('-') {
        Lane::Group
    } else {
        Lane::Private
    }
}
