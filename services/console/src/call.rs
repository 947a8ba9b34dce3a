//! A request that was let in, and its answer.

use axum::Json;
use axum::extract::Query;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use operations::{Condition, Written};
use proto_schemas::ids::IntegrationId;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::problem::Problem;

/// Entries of a page, if nothing is said.
const DEFAULT_LIMIT: usize = 50;
/// The most of them.
const MAX_LIMIT: usize = 100;

/// What a route's work is given.
pub(crate) struct Call {
    /// The identifier in the address; empty where the address has none.
    pub(crate) id: String,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Which page of a list is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Paging {
    /// The most entries of the page; 50 when absent.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<usize>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

impl Call {
    /// The body as JSON.
    ///
    /// # Errors
    /// [`Problem::Unusable`] when it is something else.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        serde_json::from_slice(&self.body).map_err(|error| Problem::Unusable(error.to_string()))
    }

    /// What stands behind the `?`.
    ///
    /// # Errors
    /// [`Problem::BadQuery`] when it is something else.
    pub(crate) fn query<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        Query::try_from_uri(&self.uri)
            .map(|Query(query)| query)
            .map_err(|error| Problem::BadQuery(error.body_text()))
    }

    /// The identifier behind which a page begins, and how many entries it has at most.
    ///
    /// # Errors
    /// [`Problem::BadQuery`].
    pub(crate) fn page(&self) -> Result<(Option<String>, usize), Problem> {
        let Paging { limit, cursor } = self.query()?;
        if cursor.as_ref().is_some_and(|cursor| !is_identifier(cursor)) {
            return Err(bad_cursor());
        }
        Ok((cursor, limit_of(limit)?))
    }

    /// The sequence that a page counts from, and how many entries it has at most.
    ///
    /// # Errors
    /// [`Problem::BadQuery`].
    pub(crate) fn numbered_page(&self) -> Result<(Option<u64>, usize), Problem> {
        let Paging { limit, cursor } = self.query()?;
        let cursor = cursor.map(|cursor| cursor.parse()).transpose();
        Ok((cursor.map_err(|_| bad_cursor())?, limit_of(limit)?))
    }

    /// What a change replaces.
    ///
    /// # Errors
    /// [`Problem`] when it does not say, or not in a way that is taken.
    pub(crate) fn condition(&self) -> Result<Condition, Problem> {
        match (self.only(header::IF_MATCH)?, self.only(header::IF_NONE_MATCH)?) {
            (Some(tag), None) => revision(tag)
                .map(Condition::Revision)
                .ok_or(Problem::BadCondition),
            (None, Some("*")) => Ok(Condition::Absent),
            (None, None) => Err(Problem::ConditionMissing),
            (Some(_), Some(_)) | (None, Some(_)) => Err(Problem::BadCondition),
        }
    }

    /// The revision that a removal replaces.
    ///
    /// # Errors
    /// As for [`Call::condition`].
    pub(crate) fn revision(&self) -> Result<u64, Problem> {
        match self.condition()? {
            Condition::Revision(revision) => Ok(revision),
            Condition::Absent => Err(Problem::BadCondition),
        }
    }

    /// The one value of a header.
    fn only(&self, name: HeaderName) -> Result<Option<&str>, Problem> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next().map(HeaderValue::to_str).transpose();
        match (first, values.next()) {
            (Ok(first), None) => Ok(first),
            (Ok(_), Some(_)) | (Err(_), _) => Err(Problem::BadCondition),
        }
    }
}

/// How many entries a page has at most.
///
/// # Errors
/// [`Problem::BadQuery`] when more are asked for than a page may have, or none.
pub(crate) fn limit_of(asked: Option<usize>) -> Result<usize, Problem> {
    let limit = asked.unwrap_or(DEFAULT_LIMIT);
    if (1..=MAX_LIMIT).contains(&limit) {
        Ok(limit)
    } else {
        Err(Problem::BadQuery(format!("`limit` is 1 to {MAX_LIMIT}")))
    }
}

/// A page begins nowhere.
pub(crate) fn bad_cursor() -> Problem {
    Problem::BadQuery("`cursor` is none that was given out".to_owned())
}

/// Whether a text may name a bot, an integration, a connection: all take the same.
pub(crate) fn is_identifier(text: &str) -> bool {
    IntegrationId::new(text).is_ok()
}

fn revision(tag: &str) -> Option<u64> {
    let digits = tag.strip_prefix('"')?.strip_suffix('"')?;
    // A sign is no part of what was given out.
    digits.bytes().all(|byte| byte.is_ascii_digit()).then_some(())?;
    digits.parse().ok()
}

/// What a route's work gives back.
pub(crate) struct Answer {
    status: StatusCode,
    revision: Option<u64>,
    body: Value,
    /// What was changed.
    pub(crate) written: Option<Written>,
}

impl Answer {
    /// A value, with status 200.
    ///
    /// # Errors
    /// [`Problem`] when it has no JSON form.
    pub(crate) fn of<T: Serialize>(value: &T) -> Result<Self, Problem> {
        let body = serde_json::to_value(value)
            .map_err(|error| Problem::Broker(bus::BusError::Unencodable(error)))?;
        Ok(Self {
            status: StatusCode::OK,
            revision: None,
            body,
            written: None,
        })
    }

    /// A change: 201 when something is there that was not.
    ///
    /// # Errors
    /// As for [`Answer::of`].
    pub(crate) fn changed(written: Written) -> Result<Self, Problem> {
        let mut answer = Self::of(&written)?.at(written.to);
        if written.from.is_none() {
            answer.status = StatusCode::CREATED;
        }
        answer.written = Some(written);
        Ok(answer)
    }

    /// Of this revision.
    pub(crate) fn at(mut self, revision: u64) -> Self {
        self.revision = Some(revision);
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if let Some(tag) = self
            .revision
            .and_then(|revision| format!("\"{revision}\"").parse().ok())
        {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(uri: &str, headers: &[(HeaderName, &str)]) -> Call {
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()));
        Call {
            id: String::new(),
            uri: uri.parse().unwrap(),
            headers: headers.collect(),
            body: Bytes::new(),
        }
    }

    #[test]
    fn a_condition_is_one_revision_or_a_star() {
        let of = |headers: &[(HeaderName, &str)]| {
            call("/", headers)
                .condition()
                .map_err(|problem| problem.verdict().code)
        };
        let (matches, none_matches) = (header::IF_MATCH, header::IF_NONE_MATCH);
        assert_eq!(of(&[(matches.clone(), "\"7\"")]), Ok(Condition::Revision(7)));
        assert_eq!(of(&[(none_matches.clone(), "*")]), Ok(Condition::Absent));
        assert_eq!(of(&[]), Err("condition_missing"));
        for bad in [
            "7",
            "*",
            "\"+7\"",
            "\"\"",
            "W/\"7\"",
            "\"7\", \"8\"",
            "\"99999999999999999999\"",
        ] {
            assert_eq!(of(&[(matches.clone(), bad)]), Err("bad_condition"), "{bad}");
        }
        assert_eq!(of(&[(none_matches.clone(), "\"7\"")]), Err("bad_condition"));
        let both = [(matches.clone(), "\"7\""), (none_matches, "*")];
        assert_eq!(of(&both), Err("bad_condition"));
        let twice = [(matches.clone(), "\"7\""), (matches, "\"7\"")];
        assert_eq!(of(&twice), Err("bad_condition"));
    }

    #[test]
    fn a_page_has_bounds() {
        let of = |query: &str| {
            call(&format!("/{query}"), &[])
                .page()
                .map_err(|problem| problem.verdict().code)
        };
        assert_eq!(of(""), Ok((None, DEFAULT_LIMIT)));
        assert_eq!(of("?limit=100&cursor=echo"), Ok((Some("echo".to_owned()), 100)));
        for bad in [
            "limit=0",
            "limit=101",
            "limit=x",
            "limit=-1",
            "limit=1&limit=2",
            "page=2",
            "cursor=a..b",
            "cursor=%00",
            "cursor=",
        ] {
            assert_eq!(of(&format!("?{bad}")), Err("bad_query"), "{bad}");
        }
    }
}
