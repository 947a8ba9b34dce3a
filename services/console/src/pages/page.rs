//! A page as data: its address, who may see it, and its work.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;

use axum::response::Response;
use maud::Markup;
use operations::Written;
use url::form_urlencoded;

use crate::problem::Problem;
use crate::route::Method;
use crate::session::Session;
use crate::token::Role;
use crate::web::Desk;

/// What is done for a visit.
pub(crate) type Work = fn(Arc<Desk>, Visit) -> Pin<Box<dyn Future<Output = Result<Reply, Problem>> + Send>>;

/// A page, or what a form is sent to.
#[derive(Clone)]
pub(crate) struct Page {
    pub(crate) method: Method,
    /// Its address, with names in braces.
    pub(crate) path: &'static str,
    /// Who may use it, at least.
    pub(crate) role: Role,
    /// What its use is called in the log and in metrics, if it is for operators.
    pub(crate) action: Option<&'static str>,
    pub(crate) work: Work,
}

/// A request of who is signed in.
pub(crate) struct Visit {
    pub(crate) session: Session,
    /// What stands for the names in the address.
    pub(crate) names: HashMap<String, String>,
    /// What stands behind the `?`. Of what is there twice the last counts.
    pub(crate) query: HashMap<String, String>,
    /// The fields of a form.
    pub(crate) form: HashMap<String, String>,
}

/// What a visit leads to.
pub(crate) enum Reply {
    /// A page.
    Shown {
        /// What the window is called.
        title: String,
        /// Where it stands in the navigation: the path of its section.
        section: &'static str,
        /// What it holds.
        body: Markup,
    },
    /// The page of a form again, which says why what was sent is not taken.
    Again {
        /// What the window is called.
        title: String,
        /// Where it stands in the navigation.
        section: &'static str,
        /// What it holds, with what was sent.
        body: Markup,
        /// Why.
        why: Problem,
    },
    /// Another page, after a form.
    Elsewhere {
        /// Its address.
        to: String,
        /// What the form has changed.
        written: Option<Written>,
    },
    /// Anything else.
    Other(Response),
}

impl Page {
    /// A page that viewers see.
    pub(crate) fn new(path: &'static str, work: Work) -> Self {
        Self {
            method: Method::Get,
            path,
            role: Role::Viewer,
            action: None,
            work,
        }
    }

    /// What a form of viewers is sent to: it changes nothing.
    pub(crate) fn question(path: &'static str, work: Work) -> Self {
        Self {
            method: Method::Post,
            ..Self::new(path, work)
        }
    }

    /// What a form of operators is sent to. Each use of it is in the log under this name, which is that of the API's route
    /// where it does the same.
    pub(crate) fn form(path: &'static str, action: &'static str, work: Work) -> Self {
        Self {
            method: Method::Post,
            role: Role::Operator,
            action: Some(action),
            ..Self::new(path, work)
        }
    }
}

impl Visit {
    /// What stands for a name in the address; empty when it has no such name.
    pub(crate) fn name(&self, name: &str) -> &str {
        self.names.get(name).map_or("", String::as_str)
    }

    /// A field of the query; none when it is absent or empty.
    pub(crate) fn asked(&self, name: &str) -> Option<&str> {
        self.query
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// A field of the form; empty when it is absent.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.form.get(name).map_or("", String::as_str)
    }

    /// A field of the form; none when it is absent or empty.
    pub(crate) fn sent(&self, name: &str) -> Option<&str> {
        Some(self.field(name)).filter(|value| !value.is_empty())
    }

    /// A field of the form that may have several lines, with ends as people type them in a chat: browsers send others.
    pub(crate) fn text(&self, name: &str) -> String {
        self.field(name).replace("\r\n", "\n")
    }

    /// Whether who is signed in may change things.
    pub(crate) fn is_operator(&self) -> bool {
        self.session.client.role == Role::Operator
    }
}

impl Reply {
    /// A page of a section.
    pub(crate) fn page(section: &'static str, title: impl Into<String>, body: Markup) -> Self {
        Self::Shown {
            title: title.into(),
            section,
            body,
        }
    }

    /// On to this address.
    pub(crate) fn elsewhere(to: impl Into<String>) -> Self {
        Self::Elsewhere {
            to: to.into(),
            written: None,
        }
    }
}

/// The fields of a query or a form.
pub(crate) fn fields(encoded: &[u8]) -> HashMap<String, String> {
    form_urlencoded::parse(encoded).into_owned().collect()
}
