//! When a chat is shown that the bot works on an answer.

use std::time::Duration;

use proto_schemas::content::ChannelKind;

/// An answer that takes no longer is not announced.
pub const SHOWN_AFTER: Duration = Duration::from_millis(500);

/// How often it has to be shown anew, as long as the answer takes; none where it cannot be shown. Telegram shows it for
/// five seconds, Discord for ten, Slack for two minutes (`channels.md`, sections 2.5.1, 3.5.5 and 4.5.5).
pub fn shown_every(channel: ChannelKind) -> Option<Duration> {
    match channel {
        ChannelKind::Http => None,
        ChannelKind::Telegram => Some(Duration::from_secs(4)),
        ChannelKind::Slack => Some(Duration::from_secs(90)),
        ChannelKind::Discord => Some(Duration::from_secs(8)),
    }
}
