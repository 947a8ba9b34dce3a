//! Links that sign in once.

use console::login_link;
use proto_schemas::ids::UnixMillis;
use registry::Secret;
use reqwest::Method;
use runtime::clock;

use super::{Browser, Shown, set_cookie};
use crate::fixture::{Fixture, OPERATOR, VIEWER, start};

/// Longer than a link lasts.
const LONG_AGO_MILLIS: u64 = 61 * 60 * 1000;

fn code(token: &str, now: UnixMillis) -> String {
    let link = login_link("https://console.example", &Secret::new(token), now);
    let code = link.strip_prefix("https://console.example/login?code=");
    code.unwrap().to_owned()
}

async fn open(browser: &Browser, code: &str) -> (String, Shown) {
    let sent = browser.send(Method::POST, "/login", &[("code", code)]).await;
    (set_cookie(&sent), Shown::of(sent).await)
}

#[tokio::test]
async fn a_link_signs_in_once_over_all_replicas() {
    let console = Fixture::start().await;
    let replica = start(console.nats.url(), &console.folder, OPERATOR, &[]);
    let replica = replica.await.unwrap();
    let other = Browser::stranger(format!("http://{}", replica.address("http").unwrap()));
    let nobody = console.nobody();
    let code = code(VIEWER, clock::now());
    // Who looks at the page, as programs that preview links do, does not use it up.
    for browser in [&nobody, &other] {
        let page = browser.get(&format!("/login?code={code}")).await;
        page.holds(200, &["signs you in once"]);
        assert_eq!(page.value("code"), code);
    }
    let (cookie, opened) = open(&nobody, &code).await;
    opened.leads_to("/overview");
    for browser in [&nobody, &other] {
        let (none, refused) = open(browser, &code).await;
        assert_eq!(none, "");
        refused.holds(403, &["unauthorized"]).lacks(&[&code]);
    }
    let mut viewer = console.nobody();
    cookie.split(';').next().unwrap().clone_into(&mut viewer.cookie);
    viewer.get("/bots").await.holds(200, &["Signed in as viewer"]);
}

#[tokio::test]
async fn two_at_once_with_one_link_are_one() {
    let console = Fixture::start().await;
    let (one, other) = (console.nobody(), console.nobody());
    let code = code(OPERATOR, clock::now());
    let ((_, one), (_, other)) = tokio::join!(open(&one, &code), open(&other, &code));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [303, 403]);
}

#[tokio::test]
async fn a_link_that_was_forged_or_has_ended_opens_nothing() {
    let console = Fixture::start().await;
    let nobody = console.nobody();
    let good = code(OPERATOR, clock::now());
    let (ends, rest) = good.split_once('.').unwrap();
    let later = format!("{}.{rest}", ends.parse::<u64>().unwrap() + 1);
    let session = console.operator().await;
    let (_, session) = session.cookie.split_once('=').unwrap();
    let now = clock::now().0;
    for bad in [
        &code("a-token-of-somebody", clock::now()),
        &code(OPERATOR, UnixMillis(now - LONG_AGO_MILLIS)),
        &later,
        session,
    ] {
        let (cookie, refused) = open(&nobody, bad).await;
        refused.holds(403, &["unauthorized"]);
        assert_eq!(cookie, "");
    }
    open(&nobody, &good).await.1.leads_to("/overview");
    // And what opens a session is none.
    let mut browser = console.nobody();
    browser.cookie = format!("console={}", code(OPERATOR, clock::now()));
    browser.get("/bots").await.leads_to("/login?next=%2Fbots");
}

#[tokio::test]
async fn a_link_is_not_taken_while_nobody_can_say_whether_it_was_used() {
    let console = Fixture::start().await;
    let nobody = console.nobody();
    console.nats.kill();
    let (cookie, refused) = open(&nobody, &code(OPERATOR, clock::now())).await;
    assert_eq!(cookie, "");
    refused.holds(503, &["broker_unavailable"]);
    // A token needs no broker.
    let sent = nobody.send(Method::POST, "/login", &[("token", OPERATOR)]).await;
    Shown::of(sent).await.leads_to("/overview");
}
