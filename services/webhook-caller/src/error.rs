//! Why a call failed: each class with its fate, decided where the cause is known.

use std::time::Duration;

use outbound::{CallFailure, ReadError};
use proto_schemas::dead_letter::Attempt;
use proto_schemas::ids::{IntegrationId, UnixMillis};

/// How much of an error's text is kept: a dead letter holds those of all attempts.
const MAX_DETAIL_CHARS: usize = 300;

/// A call that gave no usable reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CallError {
    /// The class: metric label, attempt record, dead letter.
    pub(crate) class: &'static str,
    /// The HTTP status, if there was an answer.
    pub(crate) status: Option<u16>,
    /// In words. Holds no secret and no URL.
    pub(crate) detail: String,
    /// Whether another attempt may help.
    pub(crate) fate: Fate,
}

/// What follows from a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Try again, not before the peer's own delay.
    Retry {
        /// From `Retry-After`, or what the peer's API has in its place.
        not_before: Option<Duration>,
    },
    /// The same call would fail again.
    Terminal,
}

/// What a call says of the webhook's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sign {
    /// It is there, whatever it says.
    Answers,
    /// It is down or too slow.
    Fails,
    /// It is not to be asked again.
    Gone,
    /// Nothing: it was not asked.
    Nothing,
}

/// The class of a turn that is given up because its integration's circuit breaker stays open: no call was made.
pub(crate) const CIRCUIT_OPEN: &str = "circuit_open";
/// The class of a turn whose integration has said before that it is gone.
pub(crate) const DISABLED: &str = "disabled";

/// Whether a class on record stands for a call, and not for one that the circuit breaker kept from being made.
pub(crate) fn was_called(class: &str) -> bool {
    ![CIRCUIT_OPEN, DISABLED].contains(&class)
}

/// Classes besides those of `outbound::CallFailure`, so that metric series are born at zero.
const CLASSES: [&str; 23] = [
    "rate_limited",
    "insufficient_quota",
    "request_timeout",
    "too_early",
    "server_error",
    "unauthorized",
    "gone",
    "client_error",
    "redirect",
    "unexpected_status",
    "reply_too_large",
    "not_utf8",
    "not_json",
    "no_content",
    "tool_call",
    "out_of_tokens",
    "bad_attachment",
    "bad_button",
    "unknown_integration",
    "secret_unavailable",
    "bad_header",
    CIRCUIT_OPEN,
    DISABLED,
];

/// All classes.
pub(crate) fn classes() -> impl Iterator<Item = &'static str> {
    let network = CallFailure::ALL.iter().map(|failure| failure.as_str());
    network.chain(CLASSES)
}

/// The class that a record names; a record of another build may name one that this build does not know.
pub(crate) fn known_class(name: &str) -> &'static str {
    classes().find(|class| *class == name).unwrap_or("other")
}

impl CallError {
    /// A failure that passes by itself.
    pub(crate) fn passing(class: &'static str, detail: impl Into<String>) -> Self {
        Self {
            class,
            status: None,
            detail: detail.into(),
            fate: Fate::Retry { not_before: None },
        }
    }

    /// A failure that stays.
    pub(crate) fn terminal(class: &'static str, detail: impl Into<String>) -> Self {
        Self {
            class,
            status: None,
            detail: detail.into(),
            fate: Fate::Terminal,
        }
    }

    /// A failure below HTTP. Only what the policy forbids is terminal.
    pub(crate) fn network(failure: CallFailure, detail: String) -> Self {
        match failure {
            CallFailure::Denied => Self::terminal(failure.as_str(), detail),
            CallFailure::Timeout
            | CallFailure::Dns
            | CallFailure::Connect
            | CallFailure::Tls
            | CallFailure::Body
            | CallFailure::Other => Self::passing(failure.as_str(), detail),
        }
    }

    /// An answer that is not 2xx (the guide's status codes; `webhooks.md`, section 6).
    pub(crate) fn status(status: u16, detail: String, not_before: Option<Duration>) -> Self {
        let retry = Fate::Retry { not_before };
        let (class, fate) = match status {
            408 => ("request_timeout", retry),
            425 => ("too_early", retry),
            429 => ("rate_limited", retry),
            500..=599 => ("server_error", retry),
            401 | 403 => ("unauthorized", Fate::Terminal),
            410 => ("gone", Fate::Terminal),
            400..=499 => ("client_error", Fate::Terminal),
            300..=399 => ("redirect", Fate::Terminal),
            _ => ("unexpected_status", Fate::Terminal),
        };
        Self {
            class,
            status: Some(status),
            detail,
            fate,
        }
    }

    /// The same failure, known more closely: it stays.
    pub(crate) fn for_good(self, class: &'static str) -> Self {
        Self {
            class,
            fate: Fate::Terminal,
            ..self
        }
    }

    /// A body that cannot be had. One that is too large would be so again.
    pub(crate) fn body(error: ReadError, status: u16) -> Self {
        let failed = match error {
            ReadError::TooLarge { .. } => Self::terminal("reply_too_large", error.to_string()),
            ReadError::Failed { class, detail } => Self::network(class, detail),
        };
        Self {
            status: Some(status),
            ..failed
        }
    }

    /// What the failure says of the webhook.
    pub(crate) fn sign(&self) -> Sign {
        match self.class {
            "timeout" | "dns" | "connect" | "tls" | "body" | "other" | "server_error" | "request_timeout" => {
                Sign::Fails
            }
            "gone" => Sign::Gone,
            "denied" | "bad_header" | "secret_unavailable" | "unknown_integration" => Sign::Nothing,
            _ => Sign::Answers,
        }
    }

    /// The record of the attempt.
    pub(crate) fn attempt(&self, integration: &IntegrationId, at: UnixMillis, took: Duration) -> Attempt {
        Attempt {
            at,
            integration: integration.clone(),
            class: self.class.to_owned(),
            status: self.status,
            detail: self.detail.chars().take(MAX_DETAIL_CHARS).collect(),
            millis: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_fate() {
        let retried = |status| {
            matches!(
                CallError::status(status, String::new(), None).fate,
                Fate::Retry { .. }
            )
        };
        for status in [408, 425, 429, 500, 502, 503, 504, 599] {
            assert!(retried(status), "{status} is retried");
        }
        for status in [100, 301, 302, 307, 400, 401, 403, 404, 409, 410, 413, 422, 600] {
            assert!(!retried(status), "{status} is terminal");
        }
    }

    #[test]
    fn only_a_forbidden_address_is_terminal_below_http() {
        for failure in CallFailure::ALL {
            let fate = CallError::network(failure, String::new()).fate;
            assert_eq!(
                fate == Fate::Terminal,
                failure == CallFailure::Denied,
                "{failure}"
            );
        }
    }

    #[test]
    fn a_webhook_that_answers_is_not_down_whatever_it_says() {
        let by_status = |status| CallError::status(status, String::new(), None).sign();
        for status in [400, 401, 404, 422, 425, 429, 302] {
            assert_eq!(by_status(status), Sign::Answers, "{status}");
        }
        for status in [408, 500, 502, 503, 504] {
            assert_eq!(by_status(status), Sign::Fails, "{status}");
        }
        assert_eq!(by_status(410), Sign::Gone);
        for failure in CallFailure::ALL {
            let expected = match failure {
                CallFailure::Denied => Sign::Nothing,
                CallFailure::Timeout
                | CallFailure::Dns
                | CallFailure::Connect
                | CallFailure::Tls
                | CallFailure::Body
                | CallFailure::Other => Sign::Fails,
            };
            assert_eq!(
                CallError::network(failure, String::new()).sign(),
                expected,
                "{failure}"
            );
        }
    }

    #[test]
    fn the_peers_delay_is_kept() {
        let wait = Some(Duration::from_secs(7));
        assert_eq!(
            CallError::status(429, String::new(), wait).fate,
            Fate::Retry { not_before: wait }
        );
    }
}
