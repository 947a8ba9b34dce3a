//! Why a request is refused, and what its sender is told: one exhaustive mapping to problem documents (RFC 9457).

mod document;

use std::time::Duration;

use axum::http::StatusCode;
use bus::{AskError, BusError};
use operations::RecordError;
use operations::breakers::CloseError;
use operations::dead_letters::ReplayError;
use proto_schemas::integration_test::Refusal;
use runtime::web::BodyError;

pub(crate) use document::Document;

/// When another try makes sense after what passes quickly.
const SHORT_WAIT: Duration = Duration::from_secs(5);

/// Why a request is refused. The texts are for its sender.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// It shows no token, or a wrong one.
    #[error("show a token of the console: `Authorization: Bearer …`")]
    Unauthorized,
    /// Its token opens less than that.
    #[error("this token may only read and preview")]
    Forbidden,
    /// Its token has used up its rate.
    #[error("too many requests with this token")]
    TooManyRequests(Duration),
    /// Too many show no token, or a wrong one.
    #[error(
        "too many requests without a token or a session of the console: nothing was done, try again in a moment"
    )]
    TooManyStrangers(Duration),
    /// Its address has shown too many wrong tokens.
    #[error("too many wrong tokens from this address: wait, then try again")]
    LockedOut(Duration),
    /// A form that does not come from a page of this session.
    #[error("the form is of another session, or of another site; load its page anew")]
    ForeignForm,
    /// There is no such route.
    #[error("there is nothing at this address")]
    NoRoute,
    /// The route takes another method.
    #[error("this address takes another method")]
    WrongMethod,
    /// The address names something that is not there.
    #[error("there is no such thing: {0}")]
    NotFound(&'static str),
    /// What stands behind the `?` is not what the route takes.
    #[error("the query is not what is asked for: {0}")]
    BadQuery(String),
    /// A change has to say what it replaces.
    #[error("say what the change replaces: `If-Match: \"REVISION\"`, or `If-None-Match: *` for what is new")]
    ConditionMissing,
    /// It says so in a way that is not taken.
    #[error("one revision in quotes is taken as `If-Match`, and `*` alone as `If-None-Match`")]
    BadCondition,
    /// The record, or why it was not read or changed.
    #[error("{0}")]
    Record(#[source] RecordError),
    /// Why a dead letter was not replayed.
    #[error("{0}")]
    Replay(#[source] ReplayError),
    /// Why a circuit breaker was not closed.
    #[error("{0}")]
    Breaker(#[source] CloseError),
    /// The broker knows its users, and the console has no key of the one that may remove.
    #[error(
        "the console may not remove conversations: the broker knows its users, and CONSOLE_FORGET_NKEY_SEED names no key \
         of the user `forget`"
    )]
    NoForgetUser,
    /// The broker does not take the console as that user, or the key cannot be read.
    #[error(
        "the broker does not take the key that CONSOLE_FORGET_NKEY_SEED names; the console's log says why"
    )]
    ForgetUserRefused(String),
    /// Another conversation is being removed.
    #[error("another conversation is being removed just now")]
    Busy,
    /// Too many read at once.
    #[error("too much is being read just now")]
    Crowded,
    /// The record that is stored was written by another build.
    #[error("this build cannot read what is stored: replace it, or go back to a revision of its history")]
    Unreadable,
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
    /// ingress did not accept what the playground pushed.
    #[error("ingress does not accept the message: {0}")]
    Ingress(String),
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
    /// All codes, each with its status: for metric series that are born at zero, and for the API's description.
    pub(crate) const CODES: [(&str, u16); 38] = [
        ("unauthorized", 401),
        ("forbidden", 403),
        ("too_many_requests", 429),
        ("too_many_strangers", 429),
        ("locked_out", 429),
        ("foreign_form", 403),
        ("not_found", 404),
        ("bad_query", 400),
        ("condition_missing", 428),
        ("bad_condition", 400),
        ("unknown_revision", 404),
        ("unreadable", 500),
        ("not_replayable", 409),
        ("place_taken", 409),
        ("payload_lost", 410),
        ("breaker_closed", 409),
        ("breaker_changed", 409),
        ("forget_user_missing", 501),
        ("forget_user_refused", 502),
        ("busy", 503),
        ("changed", 412),
        ("invalid", 422),
        ("in_use", 409),
        ("no_route", 404),
        ("wrong_method", 405),
        ("bad_body", 400),
        ("too_large", 413),
        ("unusable", 422),
        ("unknown_integration", 404),
        ("too_many_tests", 429),
        ("limit_reached", 503),
        ("interrupted", 502),
        ("nobody_answers", 503),
        ("timed_out", 504),
        ("crowded", 503),
        ("ingress", 502),
        ("broker_unavailable", 503),
        ("broker_refused", 502),
    ];

    /// The one mapping of problems.
    pub(crate) fn verdict(&self) -> Verdict {
        use StatusCode as S;
        let (status, code, retry_after) = match self {
            Self::Unauthorized => (S::UNAUTHORIZED, "unauthorized", None),
            Self::Forbidden => (S::FORBIDDEN, "forbidden", None),
            Self::TooManyRequests(wait) => (S::TOO_MANY_REQUESTS, "too_many_requests", Some(*wait)),
            Self::TooManyStrangers(wait) => (S::TOO_MANY_REQUESTS, "too_many_strangers", Some(*wait)),
            Self::LockedOut(wait) => (S::TOO_MANY_REQUESTS, "locked_out", Some(*wait)),
            Self::ForeignForm => (S::FORBIDDEN, "foreign_form", None),
            Self::NotFound(_) => (S::NOT_FOUND, "not_found", None),
            Self::BadQuery(_) => (S::BAD_REQUEST, "bad_query", None),
            Self::ConditionMissing => (S::PRECONDITION_REQUIRED, "condition_missing", None),
            Self::BadCondition => (S::BAD_REQUEST, "bad_condition", None),
            Self::Unreadable => (S::INTERNAL_SERVER_ERROR, "unreadable", None),
            Self::NoForgetUser => (S::NOT_IMPLEMENTED, "forget_user_missing", None),
            Self::ForgetUserRefused(_) => (S::BAD_GATEWAY, "forget_user_refused", None),
            Self::Crowded => (S::SERVICE_UNAVAILABLE, "crowded", Some(SHORT_WAIT)),
            Self::Busy => (S::SERVICE_UNAVAILABLE, "busy", Some(SHORT_WAIT)),
            Self::Record(error) => of_record(error),
            Self::Replay(error) => of_replay(error),
            Self::Breaker(error) => of_breaker(error),
            Self::NoRoute => (S::NOT_FOUND, "no_route", None),
            Self::WrongMethod => (S::METHOD_NOT_ALLOWED, "wrong_method", None),
            Self::BadBody => (S::BAD_REQUEST, "bad_body", None),
            Self::TooLarge => (S::PAYLOAD_TOO_LARGE, "too_large", None),
            Self::Unusable(_) => (S::UNPROCESSABLE_ENTITY, "unusable", None),
            Self::Refused { reason, .. } => refused(*reason),
            Self::NobodyAnswers => (S::SERVICE_UNAVAILABLE, "nobody_answers", Some(SHORT_WAIT)),
            Self::TimedOut => (S::GATEWAY_TIMEOUT, "timed_out", None),
            Self::Ingress(_) => (S::BAD_GATEWAY, "ingress", None),
            Self::Broker(error) => of_broker(error),
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
            Self::NobodyAnswers | Self::TimedOut | Self::Ingress(_) => {
                tracing::warn!(problem = %self, "no answer");
            }
            Self::ForgetUserRefused(cause) => {
                tracing::warn!(cause, "conversations cannot be removed");
            }
            Self::Unreadable => tracing::error!("a record that is stored is unreadable"),
            Self::Unauthorized => tracing::info!("refused a request without a token of ours"),
            // What a stranger sends often is counted, and not told each time.
            Self::TooManyStrangers(_)
            | Self::Forbidden
            | Self::ForeignForm
            | Self::TooManyRequests(_)
            | Self::NotFound(_)
            | Self::BadQuery(_)
            | Self::ConditionMissing
            | Self::BadCondition
            | Self::NoForgetUser
            | Self::Busy
            | Self::Crowded
            | Self::LockedOut(_)
            | Self::Record(_)
            | Self::Replay(_)
            | Self::Breaker(_)
            | Self::NoRoute
            | Self::WrongMethod
            | Self::BadBody
            | Self::TooLarge
            | Self::Unusable(_)
            | Self::Refused { .. } => tracing::debug!(code = self.verdict().code, "refused a request"),
        }
    }
}

fn of_record(error: &RecordError) -> (StatusCode, &'static str, Option<Duration>) {
    use StatusCode as S;
    match error {
        RecordError::Unknown => (S::NOT_FOUND, "not_found", None),
        RecordError::UnknownRevision => (S::NOT_FOUND, "unknown_revision", None),
        RecordError::Changed => (S::PRECONDITION_FAILED, "changed", None),
        RecordError::Invalid(_) => (S::UNPROCESSABLE_ENTITY, "invalid", None),
        RecordError::InUse(_) => (S::CONFLICT, "in_use", None),
        RecordError::Bus(error) => of_broker(error),
    }
}

fn of_replay(error: &ReplayError) -> (StatusCode, &'static str, Option<Duration>) {
    use StatusCode as S;
    match error {
        ReplayError::Impossible(_) => (S::CONFLICT, error.code(), None),
        ReplayError::PlaceTaken => (S::CONFLICT, error.code(), Some(SHORT_WAIT)),
        ReplayError::Payload(_) => (S::GONE, error.code(), None),
        ReplayError::Bus(error) => of_broker(error),
    }
}

fn of_breaker(error: &CloseError) -> (StatusCode, &'static str, Option<Duration>) {
    use StatusCode as S;
    match error {
        CloseError::NotOpen => (S::CONFLICT, "breaker_closed", None),
        CloseError::Changed => (S::CONFLICT, "breaker_changed", Some(SHORT_WAIT)),
        CloseError::Bus(error) => of_broker(error),
    }
}

fn of_broker(error: &BusError) -> (StatusCode, &'static str, Option<Duration>) {
    use StatusCode as S;
    match error {
        BusError::Unavailable(_) => (S::SERVICE_UNAVAILABLE, "broker_unavailable", Some(SHORT_WAIT)),
        BusError::SlotTaken
        | BusError::Conflict
        | BusError::TooLarge
        | BusError::Refused { .. }
        | BusError::Unencodable(_)
        | BusError::Undecodable(_) => (S::BAD_GATEWAY, "broker_refused", None),
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

impl From<RecordError> for Problem {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::Bus(error) => Self::Broker(error),
            RecordError::Unknown
            | RecordError::UnknownRevision
            | RecordError::Changed
            | RecordError::Invalid(_)
            | RecordError::InUse(_) => Self::Record(error),
        }
    }
}

impl From<ReplayError> for Problem {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Bus(error) => Self::Broker(error),
            ReplayError::Impossible(_) | ReplayError::PlaceTaken | ReplayError::Payload(_) => {
                Self::Replay(error)
            }
        }
    }
}

impl From<CloseError> for Problem {
    fn from(error: CloseError) -> Self {
        match error {
            CloseError::Bus(error) => Self::Broker(error),
            CloseError::NotOpen | CloseError::Changed => Self::Breaker(error),
        }
    }
}

impl From<BusError> for Problem {
    fn from(error: BusError) -> Self {
        Self::Broker(error)
    }
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

#[cfg(test)]
mod tests;
