//! Why a call failed, as a label and as a text that holds no URL.

use std::error::Error;
use std::fmt;
use std::io;

use crate::policy::Denied;

/// Why there is no (complete) response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallFailure {
    /// Connecting or the whole call took too long.
    Timeout,
    /// The name resolved to an address that the policy forbids.
    Denied,
    /// The name could not be resolved.
    Dns,
    /// No connection came about.
    Connect,
    /// The peer's certificate or its TLS is not acceptable.
    Tls,
    /// The response broke off, or its body cannot be decoded.
    Body,
    /// Anything else, as a connection that broke before the response.
    Other,
}

impl CallFailure {
    /// All classes, for metric series that are born at zero.
    pub const ALL: [Self; 7] = [
        Self::Timeout,
        Self::Denied,
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Body,
        Self::Other,
    ];

    /// The name used as a metric label and as the class of an error.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Denied => "denied",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Body => "body",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for CallFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Finds the class of an error of the client.
pub fn call_class(error: &reqwest::Error) -> CallFailure {
    // A refusal surfaces as a DNS error and a bad certificate as a connect error: the cause is asked first.
    if chain(error).any(|cause| cause.is::<Denied>()) {
        CallFailure::Denied
    } else if error.is_timeout() {
        CallFailure::Timeout
    } else if error.is_dns() {
        CallFailure::Dns
    } else if chain(error).any(|cause| cause.is::<rustls::Error>()) {
        CallFailure::Tls
    } else if error.is_connect() {
        CallFailure::Connect
    } else if error.is_body() || error.is_decode() {
        CallFailure::Body
    } else {
        CallFailure::Other
    }
}

/// The error and its causes in words, without the URL: a URL may hold a credential.
pub fn error_text(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    for cause in chain(&error).skip(1) {
        // An error inside the error has a URL of its own, which cannot be taken from a reference.
        if cause
            .downcast_ref::<reqwest::Error>()
            .is_some_and(|inner| inner.url().is_some())
        {
            continue;
        }
        let cause = cause.to_string();
        if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// An error and all its causes. `io::Error::source` skips the error that it wraps, which is where rustls puts
/// its own.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error: &&'a (dyn Error + 'static)| {
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        match wrapped {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}
