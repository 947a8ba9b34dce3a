//! Who is signed in: a cookie that any replica can check and none has to keep.
//!
//! Guarantees:
//! - a session is sealed with the token that opened it, so it ends when the token is replaced, and says nothing of it;
//! - a form is sealed with its session, so no other site can have a browser send one;
//! - what a login link carries opens nothing else, and is told from a session by its purpose.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use rand::RngExt;
use sha2::Sha256;

use crate::guard::Client;

/// How long a session lasts: a day's work.
const SESSION_SECS: u64 = 12 * 60 * 60;
/// How long a login link may be used.
const LINK_SECS: u64 = 60 * 60;
/// The cookie of a session. Browsers take one of this name only over TLS and for this host alone.
const SECURE_COOKIE: &str = "__Host-console";
/// The same where there is no TLS: on one's own machine.
const LOCAL_COOKIE: &str = "console";

/// What a seal is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A session.
    Session,
    /// A link that opens one, once.
    Link,
    /// The forms of a session.
    Form,
}

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// By whose token.
    pub(crate) client: Client,
    /// What the forms of this session have to carry.
    pub(crate) form_seal: String,
}

impl Purpose {
    fn label(self) -> &'static str {
        match self {
            Self::Session => "chatbot console session",
            Self::Link => "chatbot console link",
            Self::Form => "chatbot console form",
        }
    }

    fn lasts_secs(self) -> u64 {
        match self {
            Self::Session | Self::Form => SESSION_SECS,
            Self::Link => LINK_SECS,
        }
    }
}

/// A new text that only who has the token can make: when it ends, a name of its own, and the seal of both.
pub(crate) fn sealed(token: &[u8], purpose: Purpose, now_secs: u64) -> String {
    let name: [u8; 16] = rand::rng().random();
    let ends = now_secs.saturating_add(purpose.lasts_secs());
    let body = format!("{ends}.{}", BASE64URL_NOPAD.encode(&name));
    let seal = seal_of(token, purpose, &body);
    format!("{body}.{seal}")
}

/// The name in a text that was sealed with this token for this purpose and has not ended.
pub(crate) fn opened<'a>(token: &[u8], purpose: Purpose, text: &'a str, now_secs: u64) -> Option<&'a str> {
    let (body, shown) = text.rsplit_once('.')?;
    let shown = BASE64URL_NOPAD.decode(shown.as_bytes()).ok()?;
    mac_of(token, purpose, body).verify_slice(&shown).ok()?;
    let (ends, name) = body.split_once('.')?;
    (ends.parse::<u64>().ok()? > now_secs).then_some(name)
}

/// What the forms of a session carry.
pub(crate) fn form_seal(token: &[u8], session: &str) -> String {
    seal_of(token, Purpose::Form, session)
}

/// Whether a form carries that.
pub(crate) fn is_form_of(session: &Session, shown: &str) -> bool {
    use subtle::ConstantTimeEq as _;
    bool::from(session.form_seal.as_bytes().ct_eq(shown.as_bytes()))
}

fn seal_of(token: &[u8], purpose: Purpose, body: &str) -> String {
    BASE64URL_NOPAD.encode(&mac_of(token, purpose, body).finalize().into_bytes())
}

fn mac_of(token: &[u8], purpose: Purpose, body: &str) -> Hmac<Sha256> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    let mut mac = Hmac::<Sha256>::new_from_slice(token).expect("a key of any length is taken");
    mac.update(purpose.label().as_bytes());
    mac.update(&[0]);
    mac.update(body.as_bytes());
    mac
}

/// The session that a request's cookie claims to be, not checked yet.
pub(crate) fn cookie(headers: &HeaderMap) -> Option<&str> {
    let is_local = || text(headers, &header::HOST).is_some_and(is_loopback);
    let of_local = || cookie_of(headers, LOCAL_COOKIE).filter(|_| is_local());
    cookie_of(headers, SECURE_COOKIE).or_else(of_local)
}

fn cookie_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).into_iter();
    let pairs = cookies
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'));
    let mut named = pairs.filter_map(|pair| pair.trim().split_once('='));
    named.find_map(|(found, value)| (found == name).then_some(value))
}

/// The header that has the browser keep a session; an empty one has it forget. Lax, so that a link in a chat leads to a
/// page and not to the form to sign in: what changes something is sent by forms alone, and these are sealed.
pub(crate) fn set_cookie(headers: &HeaderMap, session: &str) -> Option<HeaderValue> {
    let (name, secure) = if is_local(headers) {
        (LOCAL_COOKIE, "")
    } else {
        (SECURE_COOKIE, "; Secure")
    };
    let lasts = if session.is_empty() { 0 } else { SESSION_SECS };
    let text = format!("{name}={session}; Path=/; Max-Age={lasts}; HttpOnly; SameSite=Lax{secure}");
    text.parse().ok()
}

/// Whether the browser reaches us on its own machine, where there is no TLS and nobody listens. It says so itself with a
/// form; else the host tells, which a proxy may have made its own.
fn is_local(headers: &HeaderMap) -> bool {
    let origin = text(headers, &header::ORIGIN).filter(|origin| origin.contains("://"));
    match origin {
        Some(origin) => origin.strip_prefix("http://").is_some_and(is_loopback),
        None => text(headers, &header::HOST).is_some_and(is_loopback),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn is_loopback(host: &str) -> bool {
    let name = host
        .rsplit_once(':')
        .map_or(host, |(name, port)| if port.ends_with(']') { host } else { name });
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &[u8] = b"0123456789abcdef";

    fn headers(host: &str, cookie: &str) -> HeaderMap {
        let pairs = [(header::HOST, host), (header::COOKIE, cookie)];
        pairs
            .into_iter()
            .map(|(name, value)| (name, value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn what_is_sealed_opens_with_its_token_for_its_purpose_and_until_its_end() {
        let session = sealed(TOKEN, Purpose::Session, 1000);
        assert!(opened(TOKEN, Purpose::Session, &session, 1000).is_some());
        assert!(opened(TOKEN, Purpose::Session, &session, 1000 + SESSION_SECS - 1).is_some());
        assert_eq!(
            opened(TOKEN, Purpose::Session, &session, 1000 + SESSION_SECS),
            None
        );
        assert_eq!(
            opened(b"another-token-xx", Purpose::Session, &session, 1000),
            None
        );
        assert_eq!(opened(TOKEN, Purpose::Link, &session, 1000), None);
        let link = sealed(TOKEN, Purpose::Link, 1000);
        assert_eq!(opened(TOKEN, Purpose::Session, &link, 1000), None);
        assert_eq!(opened(TOKEN, Purpose::Link, &link, 1000 + LINK_SECS), None);
    }

    #[test]
    fn a_session_that_was_changed_is_none() {
        let session = sealed(TOKEN, Purpose::Session, 1000);
        let (body, seal) = session.rsplit_once('.').unwrap();
        let longer = body.replacen("44200", "99999", 1);
        assert_ne!(longer, body);
        for bad in [
            format!("{longer}.{seal}"),
            body.to_owned(),
            format!("{body}."),
            String::new(),
            "..".to_owned(),
        ] {
            assert_eq!(opened(TOKEN, Purpose::Session, &bad, 1000), None, "{bad}");
        }
    }

    #[test]
    fn each_session_has_a_name_and_forms_of_its_own() {
        let [one, other] = [
            sealed(TOKEN, Purpose::Session, 1),
            sealed(TOKEN, Purpose::Session, 1),
        ];
        assert_ne!(one, other);
        assert_ne!(form_seal(TOKEN, &one), form_seal(TOKEN, &other));
        assert!(!one.contains(&form_seal(TOKEN, &one)));
    }

    #[test]
    fn a_cookie_goes_over_tls_only_but_on_ones_own_machine() {
        for local in ["localhost:1", "127.0.0.1:8080", "[::1]:1", "[::1]", "localhost"] {
            let set = set_cookie(&headers(local, ""), "x").unwrap();
            assert!(!set.to_str().unwrap().contains("Secure"), "{local}");
            assert_eq!(cookie(&headers(local, "a=b; console=x")), Some("x"), "{local}");
        }
        for far in ["console.example", "localhost.example:1", "127.0.0.1.example", ""] {
            let set = set_cookie(&headers(far, ""), "x").unwrap();
            let set = set.to_str().unwrap();
            assert!(
                set.starts_with("__Host-console=x; Path=/") && set.ends_with("; Secure"),
                "{set}"
            );
            assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax"), "{set}");
            assert_eq!(cookie(&headers(far, "console=x")), None, "{far}");
            assert_eq!(cookie(&headers(far, "__Host-console=x")), Some("x"), "{far}");
        }
        // A proxy may name itself as the host; the browser says what it has in its address bar.
        let mut behind = headers("127.0.0.1:8080", "");
        behind.insert(
            header::ORIGIN,
            HeaderValue::from_static("https://console.example"),
        );
        assert!(
            set_cookie(&behind, "x")
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with("__Host-console=")
        );
        assert_eq!(cookie(&headers("127.0.0.1:8080", "__Host-console=x")), Some("x"));
    }
}
