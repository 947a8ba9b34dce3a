//! Why a request is refused, and what its sender is told: one exhaustive mapping to problem documents (RFC 9457).

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bus::{AskError, BusError};
use proto_schemas::integration_test::Refusal;
use runtime::web::{BodyError, retry_after};
use serde::Serialize;

/// When another try makes sense after what passes quickly.
const SHORT_WAIT: Duration = Duration::from_secs(5);
/// The type of a problem document.
const PROBLEM: &str = "application/problem+json";
/// How a client shows who it is.
const CHALLENGE: &str = "Bearer realm=\"chatbot console\"";

/// Why a request is refused. The texts are for its sender.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// It shows no token, or a wrong one.
    #[error("show a token of the console: `Authorization: Bearer …`")]
    Unauthorized,
    /// There is no such route.
    #[error("there is nothing at this address")]
    NoRoute,
    /// The route takes another method.
    #[error("this address takes another method")]
    WrongMethod,
    /// The body broke off, or took too long.
    #[error("the body did not arrive whole and in time")]
    BadBody,
    /// The body is larger than the route takes.
    #[error("the body is too large")]
    TooLarge,
    /// The body is not what the route takes.
    #[error("the body is not what is asked for: {0}")]
    Unusable(String),
    /// webhook-caller did not make the test.
    #[error("{detail}")]
    Refused {
        /// Why.
        reason: Refusal,
        /// In words.
        detail: String,
    },
    /// There is nobody to ask.
    #[error("no webhook-caller answers")]
    NobodyAnswers,
    /// webhook-caller did not answer in time.
    #[error("webhook-caller took the test and gave no report in time")]
    TimedOut,
    /// The broker.
    #[error("the broker cannot be reached or refuses")]
    Broker(#[source] BusError),
}

/// What a problem looks like from outside.
pub(crate) struct Verdict {
    pub(crate) status: StatusCode,
    /// What clients and metrics know it by.
    pub(crate) code: &'static str,
    pub(crate) retry_after: Option<Duration>,
}

impl Problem {
    /// All codes, for metric series that are born at zero.
    pub(crate) const CODES: [&str; 14] = [
        "unauthorized",
        "no_route",
        "wrong_method",
        "bad_body",
        "too_large",
        "unusable",
        "unknown_integration",
        "too_many_tests",
        "limit_reached",
        "interrupted",
        "nobody_answers",
        "timed_out",
        "broker_unavailable",
        "broker_refused",
    ];

    /// The one mapping of problems.
    pub(crate) fn verdict(&self) -> Verdict {
        use StatusCode as S;
        let (status, code, retry_after) = match self {
            Self::Unauthorized => (S::UNAUTHORIZED, "unauthorized", None),
            Self::NoRoute => (S::NOT_FOUND, "no_route", None),
            Self::WrongMethod => (S::METHOD_NOT_ALLOWED, "wrong_method", None),
            Self::BadBody => (S::BAD_REQUEST, "bad_body", None),
            Self::TooLarge => (S::PAYLOAD_TOO_LARGE, "too_large", None),
            Self::Unusable(_) => (S::UNPROCESSABLE_ENTITY, "unusable", None),
            Self::Refused { reason, .. } => refused(*reason),
            Self::NobodyAnswers => (S::SERVICE_UNAVAILABLE, "nobody_answers", Some(SHORT_WAIT)),
            Self::TimedOut => (S::GATEWAY_TIMEOUT, "timed_out", None),
            Self::Broker(BusError::Unavailable(_)) => {
                (S::SERVICE_UNAVAILABLE, "broker_unavailable", Some(SHORT_WAIT))
            }
            Self::Broker(
                BusError::SlotTaken
                | BusError::Conflict
                | BusError::TooLarge
                | BusError::Refused { .. }
                | BusError::Unencodable(_)
                | BusError::Undecodable(_),
            ) => (S::BAD_GATEWAY, "broker_refused", None),
        };
        Verdict {
            status,
            code,
            retry_after,
        }
    }

    /// Tells the operator, once, of what the client cannot mend.
    pub(crate) fn log(&self) {
        match self {
            Self::Broker(error) => tracing::warn!(%error, "a request could not be passed on"),
            Self::NobodyAnswers | Self::TimedOut => tracing::warn!(problem = %self, "no answer"),
            Self::Unauthorized => tracing::info!("refused a request without a token of ours"),
            Self::NoRoute
            | Self::WrongMethod
            | Self::BadBody
            | Self::TooLarge
            | Self::Unusable(_)
            | Self::Refused { .. } => tracing::debug!(problem = %self, "refused a request"),
        }
    }
}

fn refused(reason: Refusal) -> (StatusCode, &'static str, Option<Duration>) {
    let (status, retry_after) = match reason {
        Refusal::UnknownIntegration => (StatusCode::NOT_FOUND, None),
        Refusal::Unusable => (StatusCode::UNPROCESSABLE_ENTITY, None),
        Refusal::TooManyTests => (StatusCode::TOO_MANY_REQUESTS, Some(SHORT_WAIT)),
        Refusal::LimitReached => (StatusCode::SERVICE_UNAVAILABLE, Some(SHORT_WAIT)),
        Refusal::Interrupted => (StatusCode::BAD_GATEWAY, None),
    };
    (status, reason.as_str(), retry_after)
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => Self::TooLarge,
            BodyError::TooSlow | BodyError::Broken => Self::BadBody,
        }
    }
}

impl From<AskError> for Problem {
    fn from(error: AskError) -> Self {
        match error {
            AskError::NobodyAnswers => Self::NobodyAnswers,
            AskError::TimedOut(_) => Self::TimedOut,
            AskError::Bus(error) => Self::Broker(error),
        }
    }
}

/// A problem document. Its type is `about:blank`, so the title is the status's own.
#[derive(Serialize)]
struct Document {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    code: &'static str,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let verdict = self.verdict();
        let document = Document {
            kind: "about:blank",
            title: verdict.status.canonical_reason().unwrap_or_default(),
            status: verdict.status.as_u16(),
            detail: self.to_string(),
            code: verdict.code,
        };
        let mut response = (verdict.status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
        if let Some(wait) = verdict.retry_after {
            headers.insert(header::RETRY_AFTER, retry_after(wait));
        }
        if verdict.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(problem: Problem) -> (u16, bool) {
        let verdict = problem.verdict();
        assert!(Problem::CODES.contains(&verdict.code), "{}", verdict.code);
        (verdict.status.as_u16(), verdict.retry_after.is_some())
    }

    #[test]
    fn what_passes_by_itself_names_a_wait_and_what_does_not_names_none() {
        let refused = |reason| {
            seen(Problem::Refused {
                reason,
                detail: String::new(),
            })
        };
        assert_eq!(refused(Refusal::TooManyTests), (429, true));
        assert_eq!(refused(Refusal::LimitReached), (503, true));
        assert_eq!(refused(Refusal::UnknownIntegration), (404, false));
        assert_eq!(refused(Refusal::Unusable), (422, false));
        assert_eq!(refused(Refusal::Interrupted), (502, false));
        assert_eq!(seen(Problem::NobodyAnswers), (503, true));
        assert_eq!(seen(Problem::TimedOut), (504, false));
        let away = BusError::Unavailable("x".to_owned());
        assert_eq!(seen(Problem::Broker(away)), (503, true));
        assert_eq!(seen(Problem::Broker(BusError::Conflict)), (502, false));
    }

    #[test]
    fn a_body_that_cannot_be_had_is_the_clients_fault() {
        let errors = [BodyError::TooLarge, BodyError::TooSlow, BodyError::Broken];
        assert_eq!(
            errors.map(|error| seen(error.into())),
            [(413, false), (400, false), (400, false)]
        );
    }

    #[test]
    fn what_lies_behind_us_is_not_shown() {
        let problem = Problem::Broker(BusError::Unavailable("nats://u:s3cret@a:1".to_owned()));
        assert!(!problem.to_string().contains("s3cret"));
    }
}
