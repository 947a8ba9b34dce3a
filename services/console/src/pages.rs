//! The pages: what the API has, for a person with a browser.
//!
//! Guarantees:
//! - they work without a script, which only refreshes what changes; no page takes anything from elsewhere;
//! - what a user, a webhook or an operator wrote is text, never markup;
//! - a form is taken only from a page of the session that sends it.

mod assets;
mod attachments;
mod bots;
mod bulk;
mod chart;
mod connections;
mod conversations;
mod dead_letters;
mod format;
mod headers;
mod integrations;
mod kept;
mod layout;
mod login;
mod messages;
mod overview;
mod page;
mod playground;
mod problem;
mod records;
mod take;
mod timeline;
mod watch;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::on;
use proto_schemas::ids::UnixMillis;
use registry::Secret;
use tracing::Instrument;
use url::Url;

use crate::problem::Problem;
use crate::session::{Purpose, sealed};
use crate::web::Desk;

pub(crate) use attachments::Attachments;
pub(crate) use login::SIGN_IN;
pub(crate) use page::Page;
use take::Names;

/// What the pages are told about the world around them.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    /// Where platforms reach ingress.
    pub(crate) ingress_public_url: Option<Url>,
    /// The header in which a proxy says whose request it is.
    pub(crate) client_address_header: Option<axum::http::HeaderName>,
}

/// All pages and forms.
pub(crate) fn all() -> Vec<Page> {
    [
        overview::pages(),
        bots::pages(),
        integrations::pages(),
        connections::pages(),
        conversations::pages(),
        messages::pages(),
        dead_letters::pages(),
        bulk::pages(),
        playground::pages(),
    ]
    .concat()
}

/// The routes of all pages, and of what they are made of.
pub(crate) fn router(pages: Vec<Page>) -> Router<Arc<Desk>> {
    let mut router = Router::new()
        .merge(assets::router())
        .merge(login::router())
        .merge(attachments::router());
    for page in pages {
        let (path, filter) = (page.path, page.method.filter());
        let page = Arc::new(page);
        let taken = async move |State(desk): State<Arc<Desk>>, names: Names, request: Request| {
            let span = tracing::info_span!("page", path = page.path);
            take::take(desk, page, names, request).instrument(span).await
        };
        router = router.route(path, on(filter, taken));
    }
    router
}

/// What is said where no page takes a request.
pub(crate) fn refuse(desk: &Desk, request: &Request, why: Problem) -> Response {
    take::refuse(desk, request, why)
}

/// The address of a page that signs in who has this token, once and within an hour.
pub fn login_link(console: &str, token: &Secret, now: UnixMillis) -> String {
    let code = sealed(token.expose().as_bytes(), Purpose::Link, now.as_secs());
    format!("{console}/login?code={code}")
}
