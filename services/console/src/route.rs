//! A route as data: what it takes and gives, who may use it, and its work. The router and the API's description are both
//! made of it.

use std::pin::Pin;
use std::sync::Arc;

use axum::routing::MethodFilter;
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::call::{Answer, Call};
use crate::problem::Problem;
use crate::token::Role;
use crate::web::Desk;

/// The problems that every route may end with.
const EVERYWHERE: [&str; 8] = [
    "unauthorized",
    "too_many_requests",
    "too_many_strangers",
    "bad_body",
    "too_large",
    "crowded",
    "broker_unavailable",
    "broker_refused",
];

/// What is done for a request.
pub(crate) type Work = fn(Arc<Desk>, Call) -> Pin<Box<dyn Future<Output = Result<Answer, Problem>> + Send>>;
/// Makes the schema of a type.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// The methods that are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Put,
    Post,
    Delete,
}

/// What of its state a change has to name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nothing.
    Nothing,
    /// The revision that it replaces.
    Revision,
    /// That, or that there is none.
    RevisionOrAbsence,
}

/// A route.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) method: Method,
    /// Its address, with `{id}` where an identifier stands.
    pub(crate) path: String,
    /// What it is called in the API's description, in the log and in metrics.
    pub(crate) name: String,
    pub(crate) summary: &'static str,
    /// Who may use it, at least.
    pub(crate) role: Role,
    pub(crate) takes: Option<SchemaOf>,
    pub(crate) gives: SchemaOf,
    /// What may stand behind the `?`, as an object.
    pub(crate) queries: Option<SchemaOf>,
    pub(crate) needs: Needs,
    /// The codes of the problems that only some routes have.
    pub(crate) problems: Vec<&'static str>,
    pub(crate) work: Work,
}

impl Method {
    pub(crate) fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Put => MethodFilter::PUT,
            Self::Post => MethodFilter::POST,
            Self::Delete => MethodFilter::DELETE,
        }
    }

    /// As a path's member in OpenAPI.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Put => "put",
            Self::Post => "post",
            Self::Delete => "delete",
        }
    }
}

impl Route {
    /// A route that gives a `T` to viewers.
    pub(crate) fn new<T: JsonSchema>(
        method: Method,
        path: impl Into<String>,
        name: impl Into<String>,
        work: Work,
    ) -> Self {
        Self {
            method,
            path: path.into(),
            name: name.into(),
            summary: "",
            role: Role::Viewer,
            takes: None,
            gives: |schemas| schemas.subschema_for::<T>(),
            queries: None,
            needs: Needs::Nothing,
            problems: Vec::new(),
            work,
        }
    }

    /// What it does, in a sentence.
    pub(crate) fn about(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    /// It is for operators, and each use of it is in the log.
    pub(crate) fn for_operators(mut self) -> Self {
        self.role = Role::Operator;
        self
    }

    /// Its body is a `T`.
    pub(crate) fn takes<T: JsonSchema>(mut self) -> Self {
        self.takes = Some(|schemas| schemas.subschema_for::<T>());
        self
    }

    /// What may stand behind the `?` is a `T`.
    pub(crate) fn queries<T: JsonSchema>(mut self) -> Self {
        self.queries = Some(|schemas| T::json_schema(schemas));
        self
    }

    /// A change that has to name what it replaces.
    pub(crate) fn needs(mut self, needs: Needs) -> Self {
        self.needs = needs;
        self
    }

    /// It may fail in these ways, besides those of every route.
    pub(crate) fn problems(mut self, codes: &[&'static str]) -> Self {
        self.problems.extend(codes);
        self
    }

    /// The codes of all problems that it may end with.
    pub(crate) fn all_problems(&self) -> Vec<&'static str> {
        let mut codes = EVERYWHERE.to_vec();
        let sometimes: [(bool, &[&'static str]); 4] = [
            (self.role == Role::Operator, &["forbidden"]),
            (self.has_id(), &["not_found"]),
            (self.queries.is_some(), &["bad_query"]),
            (
                self.needs != Needs::Nothing,
                &["condition_missing", "bad_condition", "changed"],
            ),
        ];
        for (_, more) in sometimes.iter().filter(|(applies, _)| *applies) {
            codes.extend(*more);
        }
        codes.extend(&self.problems);
        codes
    }

    /// Whether its use is in the log: what operators do is.
    pub(crate) fn is_audited(&self) -> bool {
        self.role == Role::Operator
    }

    /// Whether its address names a thing.
    pub(crate) fn has_id(&self) -> bool {
        self.path.contains("{id}")
    }
}
