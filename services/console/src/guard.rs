//! Who is let in, and how often.

use std::num::NonZeroU32;

use axum::http::HeaderMap;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::problem::Problem;
use crate::token::{Role, Tokens};

/// How many requests a second without a token are told so one by one. More are refused all the same; they fill no log.
/// Who has a token is not held up by them: a token is too long to be guessed at any rate.
const STRANGERS_PER_SECOND: NonZeroU32 = NonZeroU32::new(5).expect("5 is not 0");

/// Whose request it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client {
    /// What it may do.
    pub(crate) role: Role,
    /// The reference of its token.
    pub(crate) token: String,
}

/// The tokens, each with its rate, and the rate of who has none.
pub(crate) struct Guard {
    tokens: Tokens,
    limits: Vec<DefaultDirectRateLimiter>,
    strangers: DefaultDirectRateLimiter,
}

impl Guard {
    pub(crate) fn new(tokens: Tokens, per_second: NonZeroU32) -> Self {
        let limit = |per_second| RateLimiter::direct(Quota::per_second(per_second));
        Self {
            limits: tokens.iter().map(|_| limit(per_second)).collect(),
            strangers: limit(STRANGERS_PER_SECOND),
            tokens,
        }
    }

    /// Whose request it is, if it is let in.
    ///
    /// # Errors
    /// [`Problem`] without a token, or with one that has used up its rate.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> Result<Client, Problem> {
        let now = DefaultClock::default().now();
        let Some((number, token)) = self.tokens.admit(headers) else {
            return Err(match self.strangers.check() {
                Ok(()) => Problem::Unauthorized,
                Err(refused) => Problem::TooManyStrangers(refused.wait_time_from(now)),
            });
        };
        if let Err(refused) = self.limits[number].check() {
            return Err(Problem::TooManyRequests(refused.wait_time_from(now)));
        }
        Ok(Client {
            role: token.role,
            token: token.reference.to_string(),
        })
    }
}
