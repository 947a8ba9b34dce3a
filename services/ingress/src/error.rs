//! Why a push is refused, and what its sender is told: one exhaustive mapping.

use std::time::Duration;

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bus::BusError;
use channels::OpenError;
use files::FileError;
use runtime::web::{BodyError, retry_after};
use serde::Serialize;

use crate::metrics::RequestResult;

/// How long a sender should wait when the broker is away or we have too much to do: both pass quickly or not
/// at all, and the senders' own back-off grows.
const SHORT_WAIT: Duration = Duration::from_secs(1);
/// How long a sender should wait until some answers are there.
const ANSWER_WAIT: Duration = Duration::from_secs(5);
/// How long a sender should wait for an operator to mend a connection.
const OPERATOR_WAIT: Duration = Duration::from_secs(30);

/// The class of what is authentic and not understood.
pub(crate) const NOT_UNDERSTOOD: &str = "not_understood";
/// The class of what is larger than we take.
pub(crate) const BODY_TOO_LARGE: &str = "body_too_large";
/// The class of what finds too many messages of its conversation waiting.
pub(crate) const BACKLOG_FULL: &str = "backlog_full";

/// Why a push is refused. The texts are for its sender: they hold neither secrets nor what lies behind us.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// Nobody configured it, or it belongs to another channel.
    #[error("there is no such connection here")]
    UnknownConnection,
    /// Its secrets cannot be read.
    #[error("the connection cannot be used at the moment")]
    Misconfigured(#[source] OpenError),
    /// It is not signed, or not rightly.
    #[error("{0}")]
    Unauthorized(String),
    /// Its sender has to mend it.
    #[error("{0}")]
    BadBody(String),
    /// Its body took too long to arrive.
    #[error("the body did not arrive in time")]
    TooSlow,
    /// It is larger than we read, or than the broker takes.
    #[error("the body is too large")]
    TooLarge,
    /// The connection or the conversation sends too much.
    #[error("too many messages; wait before you send more")]
    RateLimited(Duration),
    /// As many messages of the conversation wait for an answer as may wait.
    #[error("too many messages of the conversation wait for an answer; send more when they have one")]
    BacklogFull,
    /// We have too much to do.
    #[error("too many requests at once; try again")]
    Overloaded,
    /// It came over a connection of ours that another replica may have by now.
    #[error("another replica may have it by now")]
    NotHeld,
    /// No stream has confirmed it.
    #[error("the message could not be stored; send it again")]
    NotStored(#[source] BusError),
    /// A file of it is not stored.
    #[error("a file of the message could not be stored; send it again")]
    FileNotStored(#[from] FileError),
}

/// What a refusal looks like from outside.
pub(crate) struct Verdict {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) result: RequestResult,
}

impl Refused {
    /// The one mapping of refusals.
    pub(crate) fn verdict(&self) -> Verdict {
        use RequestResult as R;
        use StatusCode as S;
        let verdict = |status, code, retry_after, result| Verdict {
            status,
            code,
            retry_after,
            result,
        };
        match self {
            Self::UnknownConnection => {
                verdict(S::NOT_FOUND, "unknown_connection", None, R::UnknownConnection)
            }
            Self::Misconfigured(_) => {
                let wait = Some(OPERATOR_WAIT);
                verdict(
                    S::SERVICE_UNAVAILABLE,
                    "connection_misconfigured",
                    wait,
                    R::Unavailable,
                )
            }
            Self::Unauthorized(_) => verdict(S::UNAUTHORIZED, "unauthorized", None, R::Unauthorized),
            Self::BadBody(_) => verdict(S::BAD_REQUEST, "bad_body", None, R::BadBody),
            Self::TooSlow => verdict(S::REQUEST_TIMEOUT, "body_timeout", None, R::BadBody),
            Self::TooLarge => verdict(S::PAYLOAD_TOO_LARGE, BODY_TOO_LARGE, None, R::TooLarge),
            Self::RateLimited(wait) => {
                verdict(S::TOO_MANY_REQUESTS, "rate_limited", Some(*wait), R::RateLimited)
            }
            Self::BacklogFull => verdict(
                S::TOO_MANY_REQUESTS,
                BACKLOG_FULL,
                Some(ANSWER_WAIT),
                R::RateLimited,
            ),
            Self::Overloaded => verdict(
                S::SERVICE_UNAVAILABLE,
                "overloaded",
                Some(SHORT_WAIT),
                R::Unavailable,
            ),
            Self::NotHeld => verdict(
                S::SERVICE_UNAVAILABLE,
                "not_held",
                Some(SHORT_WAIT),
                R::Unavailable,
            ),
            Self::NotStored(_) | Self::FileNotStored(_) => verdict(
                S::SERVICE_UNAVAILABLE,
                "not_stored",
                Some(SHORT_WAIT),
                R::Unavailable,
            ),
        }
    }

    /// Tells the operator, once, of what the sender cannot mend; for the rest the counters do.
    pub(crate) fn log(&self) {
        match self {
            Self::Misconfigured(error) => tracing::error!(%error, "a connection cannot be used"),
            Self::NotStored(error) => tracing::warn!(%error, "a push could not be stored"),
            Self::FileNotStored(error) => tracing::warn!(%error, "a file of a push could not be stored"),
            Self::UnknownConnection
            | Self::Unauthorized(_)
            | Self::BadBody(_)
            | Self::TooSlow
            | Self::TooLarge
            | Self::RateLimited(_)
            | Self::BacklogFull
            | Self::Overloaded
            | Self::NotHeld => tracing::debug!(reason = %self, "refused a push"),
        }
    }
}

impl From<OpenError> for Refused {
    fn from(error: OpenError) -> Self {
        Self::Misconfigured(error)
    }
}

impl From<BodyError> for Refused {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => Self::TooLarge,
            BodyError::TooSlow => Self::TooSlow,
            BodyError::Broken => Self::BadBody("the body broke off".to_owned()),
        }
    }
}

impl From<BusError> for Refused {
    fn from(error: BusError) -> Self {
        match error {
            BusError::TooLarge => Self::TooLarge,
            BusError::Unavailable(_)
            | BusError::SlotTaken
            | BusError::Conflict
            | BusError::Refused { .. }
            | BusError::Unencodable(_)
            | BusError::Undecodable(_) => Self::NotStored(error),
        }
    }
}

#[derive(Serialize)]
struct ErrorBody {
    error: String,
    code: &'static str,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let verdict = self.verdict();
        let body = ErrorBody {
            error: self.to_string(),
            code: verdict.code,
        };
        let mut response = (verdict.status, Json(body)).into_response();
        if let Some(wait) = verdict.retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, retry_after(wait));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_by_itself_names_a_wait_and_what_does_not_names_none() {
        let unavailable = || BusError::Unavailable("x".to_owned());
        let waits = [Refused::Overloaded, Refused::NotStored(unavailable())];
        assert!(
            waits
                .iter()
                .all(|refused| refused.verdict().retry_after.is_some())
        );
        let final_ones = [
            Refused::UnknownConnection,
            Refused::TooLarge,
            Refused::BadBody(String::new()),
        ];
        assert!(
            final_ones
                .iter()
                .all(|refused| refused.verdict().retry_after.is_none())
        );
    }

    #[test]
    fn a_body_that_cannot_be_had_is_the_senders_fault() {
        let status = |error: BodyError| Refused::from(error).verdict().status.as_u16();
        let errors = [BodyError::TooLarge, BodyError::TooSlow, BodyError::Broken];
        assert_eq!(errors.map(status), [413, 408, 400]);
    }

    #[test]
    fn what_the_broker_finds_too_large_is_not_sent_again() {
        assert_eq!(
            Refused::from(BusError::TooLarge).verdict().status,
            StatusCode::PAYLOAD_TOO_LARGE
        );
        let refused = BusError::Refused {
            code: 10_052,
            description: "s3cret".to_owned(),
        };
        let refused = Refused::from(refused);
        assert_eq!(refused.verdict().status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(
            !refused.to_string().contains("s3cret"),
            "what lies behind us is not shown"
        );
    }
}
