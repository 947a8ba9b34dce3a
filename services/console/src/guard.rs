//! Who is let in, and how often.

use std::num::NonZeroU32;

use axum::http::HeaderMap;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::problem::Problem;
use crate::session::{self, Purpose, Session};
use crate::token::{Role, Token, Tokens};

/// How many requests a second without a token are told so one by one, and of as many forms a second without a session is
/// read what was sent. More are refused all the same; they fill no log.
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

/// A session that has just begun.
pub(crate) struct SignedIn {
    pub(crate) session: Session,
    /// What the browser is to show from now on.
    pub(crate) cookie: String,
}

/// The tokens, each with its rate, and the rate of who has none.
pub(crate) struct Guard {
    tokens: Tokens,
    limits: Vec<DefaultDirectRateLimiter>,
    strangers: DefaultDirectRateLimiter,
    ended_sessions: DefaultDirectRateLimiter,
}

impl Guard {
    pub(crate) fn new(tokens: Tokens, per_second: NonZeroU32) -> Self {
        let limit = |per_second| RateLimiter::direct(Quota::per_second(per_second));
        Self {
            limits: tokens.iter().map(|_| limit(per_second)).collect(),
            strangers: limit(STRANGERS_PER_SECOND),
            ended_sessions: limit(STRANGERS_PER_SECOND),
            tokens,
        }
    }

    /// Whose request it is, if it is let in.
    ///
    /// # Errors
    /// [`Problem`] without a token, or with one that has used up its rate.
    pub(crate) fn admit(&self, headers: &HeaderMap) -> Result<Client, Problem> {
        let Some((number, token)) = self.tokens.admit(headers) else {
            return Err(match heard(&self.strangers) {
                Ok(()) => Problem::Unauthorized,
                Err(too_many) => too_many,
            });
        };
        self.count(number)?;
        Ok(Client::of(token))
    }

    /// Lets the form of who is not signed in any more be read.
    ///
    /// # Errors
    /// [`Problem::TooManyStrangers`] when many have sent one.
    pub(crate) fn hears_of_an_ended_session(&self) -> Result<(), Problem> {
        heard(&self.ended_sessions)
    }

    /// Who is signed in, by the cookie of a request's headers; nobody when there is none or it has ended.
    ///
    /// # Errors
    /// [`Problem`] when the session's token has used up its rate.
    pub(crate) fn session(&self, headers: &HeaderMap, now_secs: u64) -> Result<Option<Session>, Problem> {
        let Some(cookie) = session::cookie(headers) else {
            return Ok(None);
        };
        let opened = self.tokens.which(|token| {
            session::opened(token, Purpose::Session, cookie, now_secs)?;
            Some(session::form_seal(token, cookie))
        });
        let Some((number, token, form_seal)) = opened else {
            return Ok(None);
        };
        self.count(number)?;
        let client = Client::of(token);
        Ok(Some(Session { client, form_seal }))
    }

    /// Begins a session for who shows a token.
    pub(crate) fn sign_in(&self, shown: &str, now_secs: u64) -> Option<SignedIn> {
        let (_, token) = self.tokens.which_is(shown)?;
        Some(SignedIn::of(token, begun(shown.as_bytes(), now_secs)))
    }

    /// The same for who shows what a login link carries, and the link's name, by which it is used once.
    pub(crate) fn sign_in_by_link(&self, shown: &str, now_secs: u64) -> Option<(SignedIn, String)> {
        let opened = self.tokens.which(|secret| {
            let name = session::opened(secret, Purpose::Link, shown, now_secs)?;
            Some((begun(secret, now_secs), name.to_owned()))
        });
        opened.map(|(_, token, (begun, name))| (SignedIn::of(token, begun), name))
    }

    fn count(&self, number: usize) -> Result<(), Problem> {
        let refused = self.limits[number].check().err();
        refused.map_or(Ok(()), |refused| {
            let wait = refused.wait_time_from(DefaultClock::default().now());
            Err(Problem::TooManyRequests(wait))
        })
    }
}

/// The cookie of a new session, and what its forms carry.
fn begun(token: &[u8], now_secs: u64) -> (String, String) {
    let cookie = session::sealed(token, Purpose::Session, now_secs);
    let form_seal = session::form_seal(token, &cookie);
    (cookie, form_seal)
}

impl SignedIn {
    fn of(token: &Token, (cookie, form_seal): (String, String)) -> Self {
        let client = Client::of(token);
        Self {
            session: Session { client, form_seal },
            cookie,
        }
    }
}

impl Client {
    fn of(token: &Token) -> Self {
        Self {
            role: token.role,
            token: token.reference.to_string(),
        }
    }
}

fn heard(strangers: &DefaultDirectRateLimiter) -> Result<(), Problem> {
    let now = DefaultClock::default().now();
    strangers
        .check()
        .map_err(|refused| Problem::TooManyStrangers(refused.wait_time_from(now)))
}
