//! Who is let in, and for how long.

use proto_schemas::ids::UnixMillis;
use registry::Secret;
use runtime::clock;
use testkit::condition::{PATIENCE, wait_until};
use thirtyfour::{Cookie, SameSite};

use super::{fill, operator, sign_in_with, text, visit};
use crate::browser::Browser;
use crate::fixture::{OPERATOR, Platform, VIEWER};
use crate::look::{assert_quiet, assert_refused, inspect};

/// More wrong tokens than are forgiven.
const TOO_MANY_FAILURES: usize = 6;
const HOUR_MILLIS: u64 = 60 * 60 * 1000;

async fn cookie(browser: &Browser) -> Option<Cookie> {
    let cookies = browser.session().get_all_cookies().await.unwrap();
    assert!(cookies.len() <= 1, "{cookies:?}");
    cookies.into_iter().next()
}

async fn show_token(browser: &Browser, token: &str) {
    browser.type_into("#token", token).await;
    browser.click("main button").await;
}

#[tokio::test]
async fn a_token_opens_a_session_that_scripts_cannot_read_and_signing_out_ends_it() {
    let platform = Platform::start().await;
    let browser = Browser::desktop("signing_in").await;
    visit(&platform, &browser, "/dead-letters?class=timeout").await;
    browser.wait_for_path("/login").await;
    assert!(cookie(&browser).await.is_none());
    inspect(&browser, "login").await;
    show_token(&browser, OPERATOR).await;
    browser.wait_for_path("/dead-letters").await;
    assert!(
        browser.url().await.ends_with("?class=timeout"),
        "the page that was asked for"
    );

    let session = cookie(&browser).await.unwrap();
    assert_eq!(session.http_only, Some(true));
    assert_eq!(session.same_site, Some(SameSite::Lax));
    assert!(!session.value.contains(OPERATOR));
    assert_eq!(browser.run("return document.cookie", &[]).await, "");

    browser.click(".session button").await;
    browser.wait_for_path("/login").await;
    assert!(cookie(&browser).await.is_none());
    visit(&platform, &browser, "/dead-letters").await;
    browser.wait_for_path("/login").await;
    assert_quiet(&browser).await;
}

#[tokio::test]
async fn a_session_ends_with_its_token() {
    let platform = Platform::start().await;
    let browser = Browser::desktop("a_session_ends").await;
    sign_in_with(&platform, &browser, OPERATOR).await;
    // Cookies are of a host, whatever its port: the browser shows the session to this console, too.
    let renewed = platform.console_with("another-operator-of-the-tests").await;
    let address = renewed.address("http").await;
    browser.open(&format!("http://{address}/conversations")).await;
    browser.wait_for_path("/login").await;
    assert!(
        browser.url().await.contains("next=%2Fconversations"),
        "and back to where one was"
    );
    show_token(&browser, "another-operator-of-the-tests").await;
    browser.wait_for_path("/conversations").await;
    assert_quiet(&browser).await;
}

#[tokio::test]
async fn what_was_written_outlives_the_session() {
    let platform = Platform::start().await;
    let browser = operator(&platform, "outlives_the_session").await;
    visit(&platform, &browser, "/new-integration").await;
    browser.type_into("#id", "support").await;
    browser.type_into("#url", "https://backend.example/").await;
    browser.click("button[value=text]").await;
    browser.wait_for_text("as YAML or JSON").await;
    inspect(&browser, "as-text").await;
    fill(
        &browser,
        "#record",
        "id: support\nurl: https://backend.example/\ntimeout: 7s\n",
    )
    .await;
    browser.session().delete_all_cookies().await.unwrap();
    browser.click("form[action='/new-integration'] button").await;
    browser.wait_for_text("You are not signed in any more").await;
    assert_refused(&browser, 403).await;
    inspect(&browser, "ended").await;

    // In another tab, as the page says.
    let here = browser.session().window().await.unwrap();
    browser.click("a[target=_blank]").await;
    wait_until(PATIENCE, "another tab", async || {
        browser.session().windows().await.unwrap().len() == 2
    })
    .await;
    let tabs = browser.session().windows().await.unwrap();
    let other = tabs.into_iter().find(|tab| *tab != here).unwrap();
    browser.session().switch_to_window(other).await.unwrap();
    browser.wait_for_path("/login").await;
    show_token(&browser, OPERATOR).await;
    browser.wait_for_path("/overview").await;
    browser.session().close_window().await.unwrap();
    browser.session().switch_to_window(here).await.unwrap();
    browser.click("main form button").await;
    browser.wait_for_text("foreign_form").await;
    assert_refused(&browser, 403).await;
    inspect(&browser, "send-again").await;
    browser.click("main form button").await;
    browser.wait_for_path("/integrations/support").await;
    assert!(text(&browser, "dl.facts").await.contains("7s"));
    assert_quiet(&browser).await;
}

#[tokio::test]
async fn a_link_signs_in_once_and_within_an_hour() {
    let platform = Platform::start().await;
    let now = clock::now();
    let (console, token) = (platform.url("").await, Secret::new(OPERATOR));
    let link = console::login_link(&console, &token, now);
    let browser = Browser::desktop("a_link").await;
    browser.open(&link).await;
    inspect(&browser, "link").await;
    browser.click("main button").await;
    browser
        .wait_until(
            "being signed in",
            "return document.querySelector('form.session') !== null",
        )
        .await;
    browser.wait_for_text("Signed in as operator").await;
    assert_quiet(&browser).await;

    let late = console::login_link(&console, &token, UnixMillis(now.0 - HOUR_MILLIS));
    for (link, name) in [(link, "used-link"), (late, "late-link")] {
        browser.session().delete_all_cookies().await.unwrap();
        browser.open(&link).await;
        browser.click("main button").await;
        browser.wait_for_text("unauthorized").await;
        assert!(cookie(&browser).await.is_none());
        assert_refused(&browser, 403).await;
        inspect(&browser, name).await;
    }
}

#[tokio::test]
async fn wrong_tokens_are_refused_and_who_tries_many_has_to_wait() {
    let platform = Platform::start().await;
    let browser = Browser::desktop("wrong_tokens").await;
    visit(&platform, &browser, "/login").await;
    for number in 0..TOO_MANY_FAILURES {
        show_token(&browser, &format!("wrong-{number}")).await;
        browser.wait_for_text("Code:").await;
        if number == 0 {
            assert_refused(&browser, 403).await;
            inspect(&browser, "refused").await;
        }
        // The refusal of the one before is left behind.
        visit(&platform, &browser, "/login").await;
    }
    // Whatever is shown now is not looked at.
    show_token(&browser, VIEWER).await;
    browser.wait_for_text("locked_out").await;
    assert!(cookie(&browser).await.is_none());
    browser.complaints().await;
    inspect(&browser, "locked-out").await;
}
