//! Signing in, with a token or a link that is good for once, and out.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use bus::{BusError, TraceContext};
use maud::{Markup, html};
use proto_schemas::progress::UsedLink;
use proto_schemas::subjects;
use proto_schemas::topology::PROGRESS;
use runtime::clock;
use runtime::web::{Peer, retry_after};

use super::layout::{self, Frame};
use super::page::fields;
use super::take::{finish, is_sealed, once_more, sent, signed_in};
use super::{headers, kept, problem};
use crate::audit::{self, Deed};
use crate::guard::SignedIn;
use crate::problem::Problem;
use crate::session;
use crate::web::Desk;

/// What the beginning of a session is called in the log and in metrics.
pub(crate) const SIGN_IN: &str = "session.begin";
/// Where one arrives.
const START: &str = "/overview";

/// The routes; they are for everybody.
pub(super) fn router() -> Router<Arc<Desk>> {
    Router::new()
        .route(
            "/",
            get(async || headers::secured(Redirect::to(START).into_response())),
        )
        .route("/login", get(show).post(sign_in))
        .route("/logout", post(sign_out))
}

async fn show(State(desk): State<Arc<Desk>>, request: Request) -> Response {
    let query = fields(request.uri().query().unwrap_or_default().as_bytes());
    let field = |name: &str| query.get(name).map_or("", String::as_str);
    let next = local(field("next"));
    let is_signed_in = matches!(signed_in(&desk, request.headers()), Ok(Some(_)));
    if is_signed_in && field("code").is_empty() {
        return headers::secured(Redirect::to(next).into_response());
    }
    page(StatusCode::OK, &form(field("code"), next))
}

async fn sign_in(State(desk): State<Arc<Desk>>, request: Request) -> Response {
    let began = Instant::now();
    let address = address_of(&desk, &request);
    let headers = request.headers().clone();
    let (done, next) = match sent(request).await {
        Ok(form) => {
            let next = local(form.get("next").map_or("", |next| next.trim())).to_owned();
            (begin(&desk, address, &form).await, next)
        }
        Err(why) => (Err(why), START.to_owned()),
    };
    desk.metrics.answered(done.as_ref().err(), began.elapsed());
    match done {
        Ok(SignedIn { session, cookie }) => {
            let deed = Deed {
                action: SIGN_IN,
                client: &session.client,
                id: "",
            };
            audit::note(&desk.metrics, &deed, Ok(None));
            with_cookie(&headers, &cookie, &next)
        }
        Err(why) => {
            why.log();
            desk.metrics.changed(SIGN_IN, false);
            refused(&why, &next)
        }
    }
}

/// What is said to who has sent a form and is not signed in any more. One signs in elsewhere, so that no page of the
/// history has sent a token.
pub(super) fn before(action: &str, sent: &HashMap<String, String>) -> Response {
    let body = html! {
        div.notice.warn role="alert" { p { "You are not signed in any more." } }
        p { a.button href="/login" target="_blank" rel="noopener" { "Sign in, in another tab" } }
        (kept::again(None, action, sent))
    };
    page(StatusCode::FORBIDDEN, &body)
}

/// The page again, with why nobody is signed in.
fn refused(why: &Problem, next: &str) -> Response {
    let verdict = why.verdict();
    let status = match verdict.status {
        StatusCode::UNAUTHORIZED => StatusCode::FORBIDDEN,
        status => status,
    };
    let told = if matches!(why, Problem::Unauthorized) {
        let sentence =
            "That does not sign you in: it is no token of the console, or a link that was used or has ended.";
        problem::notice(sentence, why)
    } else {
        problem::told(why)
    };
    let mut response = page(status, &html! { (told) (form("", next)) });
    if let Some(wait) = verdict.retry_after {
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, retry_after(wait));
    }
    response
}

/// Begins a session.
async fn begin(desk: &Desk, address: IpAddr, form: &HashMap<String, String>) -> Result<SignedIn, Problem> {
    let field = |name: &str| form.get(name).map_or("", |value| value.trim());
    let now = clock::now().as_secs();
    // Nobody guesses a link, so it opens for who shares an address with somebody who tries tokens.
    let signed_in = match field("code") {
        "" => {
            if let Some(wait) = desk.lock_out.wait_of(address) {
                tracing::warn!(%address, "too many wrong tokens");
                return Err(Problem::LockedOut(wait));
            }
            desk.guard.sign_in(field("token"), now)
        }
        code => used_once(desk, code, now).await?,
    };
    let Some(signed_in) = signed_in else {
        desk.lock_out.note_failure(address);
        return Err(Problem::Unauthorized);
    };
    desk.lock_out.forgive(address);
    Ok(signed_in)
}

/// The session that a login link opens, for who comes first over all replicas.
async fn used_once(desk: &Desk, code: &str, now: u64) -> Result<Option<SignedIn>, Problem> {
    let Some((signed_in, name)) = desk.guard.sign_in_by_link(code, now) else {
        return Ok(None);
    };
    let (key, used) = (
        subjects::used_link(&name),
        UsedLink {
            used_at: clock::now(),
        },
    );
    let taken = desk
        .bus
        .compare_and_set(&PROGRESS, &key, 0, &used, TraceContext::new());
    match taken.await {
        Ok(_) => Ok(Some(signed_in)),
        Err(BusError::Conflict) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn sign_out(State(desk): State<Arc<Desk>>, request: Request) -> Response {
    let began = Instant::now();
    let headers = request.headers().clone();
    let Ok(Some(session)) = signed_in(&desk, &headers) else {
        return headers::secured(Redirect::to("/login").into_response());
    };
    let uri = request.uri().clone();
    let done = match sent(request).await {
        Ok(form) if is_sealed(&session, &form) => return with_cookie(&headers, "", "/login"),
        Ok(form) => Ok(once_more(&session, &uri, &form, Problem::ForeignForm)),
        Err(why) => Err(why),
    };
    finish(&desk, Some(&session), done, began)
}

fn with_cookie(asked: &HeaderMap, cookie: &str, next: &str) -> Response {
    let mut response = Redirect::to(next).into_response();
    if let Some(cookie) = session::set_cookie(asked, cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    headers::secured(response)
}

fn page(status: StatusCode, body: &Markup) -> Response {
    let frame = Frame {
        title: "Sign in",
        section: "",
        session: None,
        body: html! { (body) },
    };
    headers::secured((status, layout::framed(&frame)).into_response())
}

fn form(code: &str, next: &str) -> Markup {
    html! {
        form.narrow method="post" action="/login" {
            input type="hidden" name="next" value=(next);
            @if code.is_empty() {
                label for="token" { "Token" }
                input #token type="password" name="token" required autocomplete="current-password" autofocus
                    aria-describedby="token-hint";
                p.small #token-hint {
                    "A token of the role operator or viewer, which the service was given as "
                    code { "CONSOLE_OPERATOR_TOKEN" } " or " code { "CONSOLE_VIEWER_TOKEN" } "."
                }
            } @else {
                input type="hidden" name="code" value=(code);
                p { "This link signs you in once." }
            }
            button autofocus[!code.is_empty()] { "Sign in" }
        }
    }
}

/// An address of ours: whatever leads elsewhere leads to the start.
fn local(next: &str) -> &str {
    let is_ours = next.starts_with('/')
        && !next.starts_with("//")
        && next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_ours { next } else { START }
}

/// Whose failures are counted. What a proxy says is the last of its list, as it adds to what it was told.
fn address_of(desk: &Desk, request: &Request) -> IpAddr {
    let header = desk.surroundings.client_address_header.as_ref();
    let told = header.and_then(|name| request.headers().get_all(name).into_iter().next_back());
    let told = told
        .and_then(|value| value.to_str().ok())
        .and_then(|list| list.rsplit(',').next());
    let peer = request.extensions().get::<Peer>().map(|Peer(address)| *address);
    told.and_then(|address| parsed(address.trim()))
        .or(peer)
        .unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

/// Some proxies tell the port as well.
fn parsed(address: &str) -> Option<IpAddr> {
    let with_port = || address.parse().ok().map(|address: SocketAddr| address.ip());
    address.parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_come_with_a_port() {
        for (text, address) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1:5", "192.0.2.1"),
            ("[::1]:5", "::1"),
            ("::1", "::1"),
        ] {
            assert_eq!(parsed(text), address.parse().ok(), "{text}");
        }
        assert_eq!(parsed("unknown"), None);
    }

    #[test]
    fn one_is_led_nowhere_else() {
        assert_eq!(local("/dead-letters?class=a%20b"), "/dead-letters?class=a%20b");
        for elsewhere in [
            "",
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "/a\tb",
            "/\r\nx",
            "javascript:x",
        ] {
            assert_eq!(local(elsewhere), START, "{elsewhere:?}");
        }
    }
}
