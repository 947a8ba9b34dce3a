//! The helpers find what they are there to find: pages with one fault each, served by the test.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

use serde_json::{Value, json};
use testkit::backend::{FakeBackend, Scripted};
use testkit::client::client;
use testkit::condition::{PATIENCE, wait_until};

use crate::axe::{Impact, assert_accessible, audit};
use crate::browser::{Browser, Scheme, Window};
use crate::fixture::{BOT, OPERATOR, Platform, VIEWER};
use crate::hostile::{CORPUS, Place, assert_harmless, findings, texts};
use crate::keyboard::tab_to;
use crate::look::inspect;

/// What the pages of a careful server are sent with.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'";
/// How many of the hostile texts run by themselves; the others want a click, or make what only looks hostile.
const LEAST_RUN: usize = 20;

/// A server of one page, at any address, whose policy forbids nothing.
async fn server(body: &str) -> FakeBackend {
    let server = FakeBackend::start().await;
    serve(
        &server,
        "default-src * 'unsafe-inline' data:",
        page("A page", body),
    );
    server
}

/// From now on the server has this page.
fn serve(server: &FakeBackend, policy: &str, html: String) {
    let headers = [
        ("content-type", "text/html; charset=utf-8"),
        ("content-security-policy", policy),
    ];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    server.respond_with(move |_| Scripted::Status {
        status: 200,
        headers: headers.to_vec(),
        body: html.clone().into(),
    });
}

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=en><head><meta name=viewport content='width=device-width'>\
         <title>{title}</title></head><body><main><h1>A page</h1>{body}</main></body></html>"
    )
}

fn escaped(text: &str) -> String {
    let replaced = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    replaced.replace('"', "&quot;").replace('\'', "&#39;")
}

/// A page that takes a text in as it is.
fn careless(place: Place, text: &str) -> String {
    let body = match place {
        Place::Text | Place::Nowhere => format!("<p>{text}</p>"),
        Place::DoubleQuotes => format!("<input value=\"{text}\">"),
        Place::SingleQuotes => format!("<input value='{text}'>"),
        Place::NoQuotes => format!("<input value={text}>"),
        Place::Link => format!("<a href=\"{}\">x</a>", escaped(text)),
        Place::Textarea => format!("<textarea>{text}</textarea>"),
        Place::Title => return page(text, ""),
        Place::Comment => format!("<!-- {text} -->"),
        Place::Script => format!("<script>var x = '{text}';</script>"),
        Place::Style => format!("<style>{text}</style>"),
    };
    page("A page", &body)
}

#[tokio::test]
async fn a_clean_page_passes() {
    let server = server("<p>Nothing is wrong here.</p>").await;
    let browser = Browser::desktop("a_clean_page_passes").await;
    browser.open(&server.url()).await;
    assert_eq!(browser.url().await, server.url());
    assert_accessible(&browser).await;
    assert_harmless(&browser, &["Nothing is wrong here.".to_owned()]).await;
    let complaints = browser.complaints().await;
    assert!(complaints.is_empty(), "{complaints:?}");
}

#[tokio::test]
async fn errors_in_the_console_are_found() {
    let elsewhere = "http://hostile.example/x.png";
    let server = server("<script>console.info('fine')</script>").await;
    let browser = Browser::desktop("errors_in_the_console_are_found").await;
    browser.open(&server.url()).await;
    let lines = browser.console().await;
    assert!(
        lines.iter().any(|line| line.message.contains("fine")),
        "{lines:?}"
    );
    let faults = [
        ("<script>console.error('said')</script>", "said"),
        ("<script>console.warn('warned')</script>", "warned"),
        ("<script>throw new Error('thrown')</script>", "thrown"),
        (
            "<script>Promise.reject(new Error('rejected'))</script>",
            "rejected",
        ),
        (&format!("<img alt='' src={elsewhere}>"), "ERR_NAME_NOT_RESOLVED"),
    ];
    for (body, expected) in faults {
        serve(&server, "default-src * 'unsafe-inline'", page("A page", body));
        browser.open(&server.url()).await;
        let complaints = browser.complaints().await;
        assert!(
            complaints.iter().any(|line| line.message.contains(expected)),
            "{body}: {complaints:?}"
        );
    }
    serve(
        &server,
        POLICY,
        page("A page", "<script>document.title = 'x'</script>"),
    );
    browser.open(&server.url()).await;
    let complaints = browser.complaints().await;
    assert!(
        complaints.iter().any(|line| line.message.contains("script-src")),
        "{complaints:?}"
    );
}

#[tokio::test]
async fn barriers_are_found_also_on_a_page_that_forbids_scripts() {
    let server = server("").await;
    let picture = "<img src=x.png>";
    let pale = "<p style='color:#ccc;background:#fff'>Hardly to be read.</p>";
    let unnamed = "<input type=text>";
    let browser = Browser::desktop("barriers_are_found").await;
    for (body, rule, impact) in [
        (picture, "image-alt", Impact::Critical),
        (pale, "color-contrast", Impact::Serious),
        (unnamed, "label", Impact::Critical),
        ("<h4>Too low</h4>", "heading-order", Impact::Moderate),
    ] {
        let policy = "default-src 'none'; style-src 'unsafe-inline'";
        serve(&server, policy, page("A page", body));
        browser.open(&server.url()).await;
        let report = audit(&browser).await;
        let [violation] = &report.violations[..] else {
            panic!("one fault expected: {report:?}");
        };
        assert_eq!((violation.rule.as_str(), violation.impact), (rule, impact));
        assert!(report.passes > 0 && !violation.help.is_empty());
        assert_eq!(violation.elements.len(), 1);
    }
}

#[tokio::test]
async fn a_dialog_is_found_and_the_next_page_is_not_blamed_for_it() {
    let server = server("<script>alert('hostile')</script>").await;
    let browser = Browser::desktop("a_dialog_is_found").await;
    browser.open(&server.url()).await;
    assert_eq!(browser.dialog().await.as_deref(), Some("hostile"));
    assert_eq!(
        findings(&browser, &[]).await,
        ["a dialog was opened: \"hostile\""]
    );
    serve(&server, POLICY, page("A page", ""));
    browser.open(&server.url()).await;
    assert_eq!(browser.dialog().await, None);
    assert_harmless(&browser, &[]).await;
}

#[tokio::test]
async fn each_hostile_text_is_found_on_a_page_that_takes_it_as_it_is() {
    let server = server("").await;
    let browser = Browser::desktop("each_hostile_text_is_found").await;
    let (mut run, mut missed) = (0, Vec::new());
    let takes_in = |place| place != Place::Nowhere;
    for (hostile, text) in CORPUS
        .iter()
        .zip(texts())
        .filter(|(hostile, _)| takes_in(hostile.place))
    {
        let policy = "default-src * data: 'unsafe-inline'";
        serve(&server, policy, careless(hostile.place, &text));
        browser.open(&server.url()).await;
        let found = findings(&browser, &[]).await;
        let was_run = found
            .iter()
            .any(|finding| finding.contains("was run") || finding.contains("dialog"));
        run += usize::from(was_run);
        // A page with a script of its own is suspicious anyway.
        if found.is_empty() || (hostile.place == Place::Script && !was_run) {
            missed.push(text);
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
    assert!(run >= LEAST_RUN, "only {run} texts were run, of {}", CORPUS.len());
}

#[tokio::test]
async fn hostile_texts_are_harmless_on_a_page_that_escapes_them() {
    let texts = texts();
    let shown = texts.iter().map(|text| format!("<p>{}</p>", escaped(text)));
    let typed = texts
        .iter()
        .map(|text| format!("<input value='{}'>", escaped(text)));
    let server = server("").await;
    serve(&server, POLICY, page("A page", &shown.collect::<String>()));
    let browser = Browser::desktop("hostile_texts_are_harmless").await;
    browser.open(&server.url()).await;
    assert_harmless(&browser, &texts).await;
    serve(&server, POLICY, page("A page", &typed.collect::<String>()));
    browser.open(&server.url()).await;
    assert_harmless(&browser, &texts).await;
    browser.screenshot("fields").await;

    let lost = format!("<p>{}</p>", escaped(&texts[0].replace('<', "")));
    serve(&server, POLICY, page("A page", &lost));
    browser.open(&server.url()).await;
    let found = findings(&browser, &texts[..1]).await;
    assert_eq!(found, [format!("not there as it was put in: {:?}", texts[0])]);
}

#[tokio::test]
async fn requests_elsewhere_are_found() {
    let (server, other) = (server("").await, server("").await);
    let body = format!("<img alt='' src='{}'>", other.url());
    serve(&server, "default-src *", page("A page", &body));
    let browser = Browser::desktop("requests_elsewhere_are_found").await;
    browser.open(&server.url()).await;
    let found = findings(&browser, &[]).await;
    assert_eq!(found, [format!("elsewhere was asked: {}", other.url())]);
}

#[tokio::test]
async fn windows_and_schemes_are_as_they_are_asked_for() {
    let server = server("<p>Hello</p>").await;
    let look = "return [innerWidth, matchMedia('(prefers-color-scheme: dark)').matches, navigator.maxTouchPoints > 0]";
    for (window, scheme, expected) in [
        (Window::Desktop, Scheme::Light, json!([1280, false, false])),
        (Window::Phone, Scheme::Dark, json!([390, true, true])),
    ] {
        let browser = Browser::start("windows_and_schemes", window, scheme).await;
        // It stays so from page to page.
        for _ in 0..2 {
            browser.open(&server.url()).await;
            assert_eq!(browser.run(look, &[]).await, expected, "{window:?}");
        }
        let picture = browser.screenshot(&format!("{window:?}")).await;
        let picture = std::fs::read(picture).unwrap();
        let width = u32::from_be_bytes(picture[16..20].try_into().unwrap());
        assert_eq!(width, if window == Window::Phone { 780 } else { 1280 });
    }
}

#[tokio::test]
async fn what_is_typed_and_clicked_reaches_the_page() {
    let server = server(
        "<input id=name value=x><button>Go</button><output></output><script>\
         document.querySelector('button').onclick = () => setTimeout(() => {\
         document.querySelector('output').textContent = 'Hello ' + document.querySelector('#name').value; }, 50)</script>",
    )
    .await;
    let browser = Browser::desktop("what_is_typed").await;
    browser.open(&server.url()).await;
    browser.clear("#name").await;
    browser.type_into("#name", "Ada").await;
    browser.click("button").await;
    browser.wait_for_text("Hello Ada").await;
    let returned = browser.run("return arguments[0] + 1", &[Value::from(1)]).await;
    assert_eq!(returned, 2);
}

#[tokio::test]
#[should_panic(expected = "wide")]
async fn a_page_that_does_not_fit_a_phone_is_found() {
    let server = server("<p style='width:900px'>Hello</p>").await;
    let browser = Browser::desktop("a_page_that_does_not_fit").await;
    browser.open(&server.url()).await;
    inspect(&browser, "wide").await;
}

#[tokio::test]
#[should_panic(expected = "the focus on")]
async fn a_focus_that_is_not_seen_is_found() {
    let server = server("<style>a { outline: none }</style><a href=x>Hello</a>").await;
    let browser = Browser::desktop("a_focus_that_is_not_seen").await;
    browser.open(&server.url()).await;
    tab_to(&browser, "a").await;
}

#[tokio::test]
async fn a_browser_ends_with_its_test_also_when_that_panics() {
    for panics in [false, true] {
        let browser = Browser::desktop("a_browser_ends").await;
        let group = browser.process_group();
        assert!(
            processes(group).iter().any(|name| name.starts_with("chrom")),
            "{:?}",
            processes(group)
        );
        let ended = catch_unwind(AssertUnwindSafe(move || {
            let _browser = browser;
            assert!(!panics, "as a test does that fails");
        }));
        assert_eq!(ended.is_err(), panics);
        wait_until(PATIENCE, "the end of all processes", async || {
            processes(group).is_empty()
        })
        .await;
    }
}

/// The names of a group's processes that have not ended.
fn processes(group: u32) -> Vec<String> {
    let listed = Command::new("ps")
        .args(["-eo", "pgid=,stat=,comm="])
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let of_group = listed.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let is_it = words.next()? == group.to_string() && !words.next()?.starts_with('Z');
        is_it.then(|| words.collect())
    });
    of_group.collect()
}

#[tokio::test]
async fn the_platform_answers_and_its_console_knows_both_roles() {
    let platform = Platform::start().await;
    let conversation = platform.ask("ada", "hello").await;
    assert_eq!(platform.backend.calls().len(), 1);
    for (token, expected) in [(OPERATOR, 200), (VIEWER, 200), ("nobody-of-the-tests", 401)] {
        let turns = platform.url(&format!("/v1/conversations/{conversation}")).await;
        let answer = client().get(&turns).bearer_auth(token).send().await.unwrap();
        assert_eq!(answer.status(), expected);
    }
    let bot = platform.url(&format!("/v1/bots/{BOT}")).await;
    let answer = client().delete(bot).bearer_auth(VIEWER).send().await.unwrap();
    assert_eq!(answer.status(), 403);
}
