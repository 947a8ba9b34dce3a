//! What every answer tells the browser, and how often one may ask.

use std::time::Instant;

use futures_util::future::join_all;
use reqwest::{Method, Response};

use super::Shown;
use crate::fixture::{Fixture, OPERATOR};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

#[track_caller]
fn assert_secured(response: &Response, kept: &str) {
    for (name, value) in [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cache-control", kept),
    ] {
        let found = response.headers().get(name).map(|value| value.to_str().unwrap());
        assert_eq!(
            found,
            Some(value),
            "{name} of {} {}",
            response.status(),
            response.url()
        );
    }
}

#[tokio::test]
async fn every_answer_of_a_page_allows_nothing_from_elsewhere_and_is_not_kept() {
    let console = Fixture::start().await;
    let (nobody, operator) = (console.nobody(), console.operator().await);
    let wrong = [("token", "a-token-of-somebody")];
    let right = [("token", OPERATOR)];
    let answers = [
        (operator.send(Method::GET, "/overview", &[]).await, 200),
        (operator.send(Method::GET, "/bots/nowhere", &[]).await, 404),
        (operator.send(Method::GET, "/nowhere", &[]).await, 404),
        (operator.send(Method::GET, "/logout", &[]).await, 405),
        (operator.send(Method::POST, "/new-bot", &[("id", "b")]).await, 403),
        (
            operator.send(Method::POST, "/logout", &[("seal", "x")]).await,
            403,
        ),
        (nobody.send(Method::GET, "/", &[]).await, 303),
        (nobody.send(Method::GET, "/bots", &[]).await, 303),
        (nobody.send(Method::GET, "/nowhere", &[]).await, 303),
        (nobody.send(Method::POST, "/new-bot", &[("id", "b")]).await, 403),
        (nobody.send(Method::GET, "/login", &[]).await, 200),
        (nobody.send(Method::POST, "/login", &wrong).await, 403),
        (nobody.send(Method::POST, "/login", &right).await, 303),
        (nobody.send(Method::GET, "/assets/0/none.js", &[]).await, 404),
    ];
    for (answer, status) in &answers {
        assert_eq!(answer.status(), *status, "{}", answer.url());
        assert_secured(answer, "no-store");
    }
}

#[tokio::test]
async fn what_pages_are_made_of_is_kept_for_good_by_an_address_that_changes_with_it() {
    let console = Fixture::start().await;
    let nobody = console.nobody();
    let page = nobody.get("/login").await.html;
    let assets: Vec<&str> = page
        .split('"')
        .filter(|text| text.starts_with("/assets/"))
        .collect();
    assert_eq!(assets.len(), 3, "{page}");
    let types = [
        "image/svg+xml",
        "text/css; charset=utf-8",
        "text/javascript; charset=utf-8",
    ];
    for (address, media_type) in assets.iter().zip(types) {
        let asset = nobody.send(Method::GET, address, &[]).await;
        assert_eq!(
            (
                asset.status().as_u16(),
                asset.headers()["content-type"].to_str().unwrap()
            ),
            (200, media_type)
        );
        assert_secured(&asset, "public, max-age=31536000, immutable");
    }
    let elsewhere = ["https:", "http:", "//", "<style", " style=", " onclick="];
    Shown::of(nobody.send(Method::GET, "/login", &[]).await)
        .await
        .lacks(&elsewhere);
}

#[tokio::test]
async fn a_form_that_another_site_sends_is_refused() {
    let console = Fixture::start().await;
    let operator = console.operator().await;
    let seal = operator.get("/bots").await.value("seal");
    let fields = [("seal", &*seal), ("token", OPERATOR), ("id", "b")];
    for form in ["/new-bot", "/playground", "/login", "/logout"] {
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("origin", "https://evil.example"),
            ("origin", "null"),
        ] {
            let sent = operator.request(Method::POST, form, &fields);
            let sent = sent.header(name, value).send().await.unwrap();
            Shown::of(sent).await.holds(403, &["foreign_form"]);
        }
    }
    let sent = operator.request(Method::POST, "/logout", &fields);
    let sent = sent.header("sec-fetch-site", "same-origin").send().await;
    Shown::of(sent.unwrap()).await.leads_to("/login");
}

#[tokio::test]
async fn pages_count_towards_the_rate_of_their_token_like_requests_of_the_api() {
    let console = Fixture::with(&[("CONSOLE_REQUESTS_PER_SECOND", "1")]).await;
    let (operator, viewer) = (console.operator().await, console.viewer().await);
    let began = Instant::now();
    let pages = join_all((0..20).map(|_| operator.send(Method::GET, "/bots", &[])));
    let api = join_all((0..20).map(|_| console.request(Method::GET, "/v1/bots").send()));
    let (pages, api) = tokio::join!(pages, api);
    let api = api.into_iter().map(Result::unwrap);
    let taken = pages.iter().filter(|answer| answer.status() == 200).count()
        + api.filter(|answer| answer.status() == 200).count();
    let allowed = usize::try_from(began.elapsed().as_secs()).unwrap() + 2;
    assert!((1..=allowed).contains(&taken), "{taken} of {allowed}");
    let refused = pages.into_iter().find(|page| page.status() != 200).unwrap();
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_secured(&refused, "no-store");
    Shown::of(refused).await.holds(429, &["too_many_requests"]);
    viewer.get("/bots").await.holds(200, &[]);
}
