//! Which of several webhooks answers for a bot: a split for an A/B test.
//!
//! The choice is a race (weighted rendezvous hashing). Each arm draws the time at which it arrives from a hash of
//! itself and of what is split, exponentially distributed with its weight as the rate, and the first one answers. So
//! an arm gets its weight's share; the same conversation gets the same arm in every replica and at any time; and when
//! an arm's weight changes, only conversations that it gains or loses move.
//!
//! Times are whole numbers: the logarithm of floating point may differ from one build to the next.

use std::cmp::Ordering;

use proto_schemas::ids::{BotId, ConversationId, IntegrationId, MessageId};
use sha2::{Digest, Sha256};

use crate::fields;

/// Binary digits behind the point of a logarithm.
const PRECISION: u32 = 32;

/// Who answers for a bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Webhook {
    /// Always this one.
    One(IntegrationId),
    /// One of several.
    OneOf(Split),
}

/// Several webhooks, and how they share what is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    by: SplitBy,
    /// At least one.
    arms: Vec<Arm>,
}

/// One webhook of a split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arm {
    /// The webhook.
    pub integration: IntegrationId,
    /// Its share is this out of the sum of all weights. With 0 it gets nothing, unless no arm has more.
    pub weight: u32,
}

/// What keeps its arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SplitBy {
    /// All turns of a conversation have the same.
    Conversation,
    /// Each turn has its own.
    Message,
}

impl Split {
    /// A split over `arms`; none when there are none.
    pub fn new(by: SplitBy, arms: Vec<Arm>) -> Option<Self> {
        (!arms.is_empty()).then_some(Self { by, arms })
    }

    /// The arm for a turn of `conversation` that begins with the message `first`.
    pub fn arm(&self, bot: &BotId, conversation: &ConversationId, first: &MessageId) -> &IntegrationId {
        let subject = match self.by {
            SplitBy::Conversation => conversation.as_str(),
            SplitBy::Message => first.as_str(),
        };
        let arrivals = self.arms.iter().map(|arm| Arrival::of(arm, bot, subject));
        let winner = arrivals.min_by(Arrival::order);
        winner.expect("a split has an arm").integration
    }
}

/// When an arm arrives: `time / weight`. Without a weight it never does.
struct Arrival<'a> {
    time: u64,
    weight: u32,
    integration: &'a IntegrationId,
}

impl<'a> Arrival<'a> {
    fn of(arm: &'a Arm, bot: &BotId, subject: &str) -> Self {
        let fields = [bot.as_str(), subject, arm.integration.as_str()].map(Some);
        let hash = Sha256::digest(fields::encode("split", &fields));
        let mut first = [0; 8];
        first.copy_from_slice(&hash[..8]);
        Self {
            time: time(u64::from_be_bytes(first)),
            weight: arm.weight,
            integration: &arm.integration,
        }
    }

    /// Compares without dividing. Of two at the same time the one with the smaller name is first, wherever they are
    /// listed.
    fn order(&self, other: &Self) -> Ordering {
        let crosswise = |one: &Self, other: &Self| u128::from(one.time) * u128::from(other.weight);
        crosswise(self, other)
            .cmp(&crosswise(other, self))
            .then_with(|| self.integration.cmp(other.integration))
    }
}

/// `-log2(draw / 2^64)` in units of `2^-PRECISION`, at least 1: exponentially distributed when `draw` is uniform.
fn time(draw: u64) -> u64 {
    let draw = draw.max(1);
    let zeros = draw.leading_zeros();
    // The draw is `power` twos times a mantissa of at least one and less than two, here with 63 bits behind the point.
    let power = u64::from(63 - zeros);
    let mut mantissa = draw << zeros;
    let mut logarithm = power;
    for _ in 0..PRECISION {
        // Squaring doubles the logarithm: its next digit is whether the mantissa has reached two.
        let square = (u128::from(mantissa) * u128::from(mantissa)) >> 63;
        let digit = u64::from(square >> 64 == 1);
        mantissa = (square >> digit) as u64;
        logarithm = 2 * logarithm + digit;
    }
    (64 << PRECISION) - logarithm
}

#[cfg(test)]
mod tests;
