//! How a visit goes: who is signed in, may they, what comes of it. One story for all pages.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;
use operations::Written;
use runtime::clock;
use runtime::web::{read_body, retry_after};
use tracing::Instrument;
use url::form_urlencoded;

use super::layout::{self, Frame};
use super::page::{Page, Reply, Visit, fields};
use super::{headers, kept, login, problem};
use crate::audit::{self, Deed};
use crate::problem::Problem;
use crate::route::Method;
use crate::session::{self, Session};
use crate::web::Desk;

/// What stands for the names in an address.
pub(super) type Names = Result<Path<HashMap<String, String>>, PathRejection>;

/// The field of every form that says of which session it is.
pub(super) const SEAL: &str = "seal";

/// A visit from its headers to its page.
pub(super) async fn take(desk: Arc<Desk>, page: Arc<Page>, names: Names, request: Request) -> Response {
    let began = Instant::now();
    let session = match signed_in(&desk, request.headers()) {
        Ok(Some(session)) => session,
        Ok(None) => return sign_in_first(&desk, &page, request, began).await,
        Err(problem) => return finish(&desk, None, Err(problem), began),
    };
    let names = names.map(|Path(names)| names).unwrap_or_default();
    let whole = work(Arc::clone(&desk), page, session.clone(), names, request);
    let done = whole.await;
    finish(&desk, Some(&session), done, began)
}

/// Who a request's cookie belongs to.
pub(super) fn signed_in(desk: &Desk, headers: &HeaderMap) -> Result<Option<Session>, Problem> {
    desk.guard.session(headers, clock::now().as_secs())
}

async fn work(
    desk: Arc<Desk>,
    page: Arc<Page>,
    session: Session,
    names: HashMap<String, String>,
    request: Request,
) -> Result<Reply, Problem> {
    match (page.method, page.action) {
        (Method::Get, _) => {
            let visit = match visit(&page, session, names, request).await {
                Ok(visit) => visit,
                Err(instead) => return instead,
            };
            let _permit = desk.turn_to_read().await?;
            (page.work)(Arc::clone(&desk), visit).await
        }
        (Method::Post | Method::Put | Method::Delete, None) => {
            match visit(&page, session, names, request).await {
                Ok(visit) => (page.work)(desk, visit).await,
                Err(instead) => instead,
            }
        }
        (Method::Post | Method::Put | Method::Delete, Some(action)) => {
            let whole = audited(Arc::clone(&desk), page, action, session, names, request);
            match desk.tasks.owned(whole.in_current_span()).await {
                Ok(done) => done,
                Err(ended) => std::panic::resume_unwind(ended.into_panic()),
            }
        }
    }
}

/// What only operators may do, to its end and into the log, also when the browser does not wait for it.
async fn audited(
    desk: Arc<Desk>,
    page: Arc<Page>,
    action: &'static str,
    session: Session,
    names: HashMap<String, String>,
    request: Request,
) -> Result<Reply, Problem> {
    let client = session.client.clone();
    let mut id = names.get("id").cloned().unwrap_or_default();
    let done = match visit(&page, session, names, request).await {
        Ok(visit) => {
            // What is new has its identifier in its form.
            if id.is_empty() {
                visit.field("id").trim().clone_into(&mut id);
            }
            (page.work)(Arc::clone(&desk), visit).await
        }
        Err(instead) => instead,
    };
    let deed = Deed {
        action,
        client: &client,
        id: &id,
    };
    audit::note(&desk.metrics, &deed, written(&done));
    done
}

fn written(done: &Result<Reply, Problem>) -> Result<Option<Written>, &Problem> {
    match done {
        Ok(Reply::Elsewhere { written, .. }) => Ok(*written),
        Ok(Reply::Shown { .. } | Reply::Other(_)) => Ok(None),
        Ok(Reply::Again { why, .. }) | Err(why) => Err(why),
    }
}

/// A visit that may be made; of a form also that it comes from a page of ours.
///
/// # Errors
/// What is answered instead: a problem, or the form to be sent again, when it is of an earlier session or not for this one.
async fn visit(
    page: &Page,
    session: Session,
    names: HashMap<String, String>,
    request: Request,
) -> Result<Visit, Result<Reply, Problem>> {
    let is_allowed = session.client.role >= page.role;
    let uri = request.uri().clone();
    let query = fields(uri.query().unwrap_or_default().as_bytes());
    let form = match page.method {
        Method::Get if is_allowed => HashMap::new(),
        Method::Get => return Err(Err(Problem::Forbidden)),
        Method::Post | Method::Put | Method::Delete => {
            let form = sent(request).await.map_err(Err)?;
            // Who signs in anew may have another role than before, too.
            let why = match (is_allowed, is_sealed(&session, &form)) {
                (true, true) => None,
                (true, false) => Some(Problem::ForeignForm),
                (false, _) => Some(Problem::Forbidden),
            };
            if let Some(why) = why {
                return Err(Ok(once_more(&session, &uri, &form, why)));
            }
            form
        }
    };
    Ok(Visit {
        session,
        names,
        query,
        form,
    })
}

/// The fields of a form from a page of ours, whatever its session.
pub(super) async fn sent(request: Request) -> Result<HashMap<String, String>, Problem> {
    check_origin(request.headers())?;
    Ok(fields(&read_body(request).await?))
}

/// The page that sends a form of an earlier session as one of this, and why it was not taken.
pub(super) fn once_more(session: &Session, uri: &Uri, form: &HashMap<String, String>, why: Problem) -> Reply {
    let told = if matches!(why, Problem::ForeignForm) {
        problem::notice("This form was filled in before you signed in last.", &why)
    } else {
        problem::told(&why)
    };
    Reply::Again {
        title: "Send it again?".to_owned(),
        section: "",
        body: html! { (told) (kept::again(Some(session), address(uri), form)) },
        why,
    }
}

/// Whether a form is of this session.
pub(super) fn is_sealed(session: &Session, form: &HashMap<String, String>) -> bool {
    let seal = form.get(SEAL).map_or("", String::as_str);
    session::is_form_of(session, seal)
}

fn address(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |address| address.as_str())
}

/// That a browser says of a form that it is sent from our own pages. What is no browser says nothing, and has no cookie
/// that another site could make it send.
pub(super) fn check_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match text("sec-fetch-site") {
        Some("same-origin" | "none") => Ok(()),
        Some(_) => Err(Problem::ForeignForm),
        None => {
            let origin = text("origin").map(|origin| origin.split_once("://").map(|(_, host)| host));
            let is_ours = origin.is_none_or(|host| host.is_some() && host == text("host"));
            is_ours.then_some(()).ok_or(Problem::ForeignForm)
        }
    }
}

/// What is said before a page is found, as nobody may learn which there are without having signed in.
pub(super) fn refuse(desk: &Desk, request: &Request, why: Problem) -> Response {
    let began = Instant::now();
    match signed_in(desk, request.headers()) {
        Ok(Some(session)) => finish(desk, Some(&session), Err(why), began),
        Ok(None) => {
            desk.metrics
                .answered(Some(&Problem::Unauthorized), began.elapsed());
            to_login("/")
        }
        Err(problem) => finish(desk, None, Err(problem), began),
    }
}

async fn sign_in_first(desk: &Desk, page: &Page, request: Request, began: Instant) -> Response {
    let uri = request.uri().clone();
    let answer = match page.method {
        Method::Get => Ok(to_login(address(&uri))),
        Method::Post | Method::Put | Method::Delete => match desk.guard.hears_of_an_ended_session() {
            Ok(()) => sent(request).await.map(|form| {
                if kept::is_kept(&form) {
                    login::before(address(&uri), &form)
                } else {
                    to_login("/")
                }
            }),
            Err(why) => Err(why),
        },
    };
    match answer {
        Ok(response) => {
            let why = Problem::Unauthorized;
            desk.metrics.answered(Some(&why), began.elapsed());
            response
        }
        Err(problem) => finish(desk, None, Err(problem), began),
    }
}

fn to_login(next: &str) -> Response {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("next", next)
        .finish();
    headers::secured(Redirect::to(&format!("/login?{query}")).into_response())
}

/// What became of a visit, as its browser gets it.
pub(super) fn finish(
    desk: &Desk,
    session: Option<&Session>,
    done: Result<Reply, Problem>,
    began: Instant,
) -> Response {
    let problem = match &done {
        Ok(Reply::Again { why, .. }) | Err(why) => Some(why),
        Ok(Reply::Shown { .. } | Reply::Elsewhere { .. } | Reply::Other(_)) => None,
    };
    desk.metrics.answered(problem, began.elapsed());
    if let Some(problem) = problem {
        problem.log();
    }
    headers::secured(response(session, done))
}

fn response(session: Option<&Session>, done: Result<Reply, Problem>) -> Response {
    let framed = |title: &str, section, body| {
        layout::framed(&Frame {
            title,
            section,
            session,
            body,
        })
    };
    match done {
        Ok(Reply::Shown { title, section, body }) => framed(&title, section, body).into_response(),
        Ok(Reply::Again {
            title,
            section,
            body,
            why,
        }) => (status_of(&why), framed(&title, section, body)).into_response(),
        Ok(Reply::Elsewhere { to, .. }) => Redirect::to(&to).into_response(),
        Ok(Reply::Other(response)) => response,
        Err(why) => {
            let page = framed("Not done", "", problem::told(&why));
            let mut response = (status_of(&why), page).into_response();
            if let Some(wait) = why.verdict().retry_after {
                response
                    .headers_mut()
                    .insert(header::RETRY_AFTER, retry_after(wait));
            }
            response
        }
    }
}

/// A browser that is answered 401 asks for a password of another kind.
fn status_of(problem: &Problem) -> StatusCode {
    match problem.verdict().status {
        StatusCode::UNAUTHORIZED => StatusCode::FORBIDDEN,
        status => status,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn is_ours(pairs: &[(&'static str, &str)]) -> bool {
        let pairs = pairs.iter().map(|(name, value)| {
            let name = axum::http::HeaderName::from_static(name);
            (name, value.parse::<HeaderValue>().unwrap())
        });
        check_origin(&pairs.collect()).is_ok()
    }

    #[test]
    fn a_form_of_another_site_is_told_from_ours() {
        assert!(is_ours(&[]));
        assert!(is_ours(&[("sec-fetch-site", "same-origin"), ("origin", "null")]));
        assert!(is_ours(&[("sec-fetch-site", "none")]));
        assert!(!is_ours(&[("sec-fetch-site", "cross-site")]));
        assert!(!is_ours(&[
            ("sec-fetch-site", "same-site"),
            ("host", "a:1"),
            ("origin", "http://a:1")
        ]));
        assert!(is_ours(&[("host", "a:1"), ("origin", "http://a:1")]));
        assert!(!is_ours(&[("host", "a:1"), ("origin", "http://b:1")]));
        assert!(!is_ours(&[("host", "a:1"), ("origin", "null")]));
        assert!(!is_ours(&[("origin", "http://b:1")]));
    }
}
