//! Who tries tokens has to wait.

use console::login_link;
use registry::Secret;
use reqwest::{Method, Response};
use runtime::clock;

use super::{Browser, Shown};
use crate::fixture::{Fixture, OPERATOR, VIEWER, answer};

/// So many failures are forgiven.
const FORGIVEN: usize = 5;
const HEADER: &str = "x-forwarded-for";

async fn fail(browser: &Browser) {
    for _ in 0..FORGIVEN {
        let wrong = [("token", "a-token-of-somebody")];
        let refused = browser.send(Method::POST, "/login", &wrong).await;
        assert_eq!(refused.status(), 403);
    }
}

async fn put_off(response: Response) {
    let wait = response.headers()["retry-after"].to_str().unwrap();
    assert!((1..=30).contains(&wait.parse::<u64>().unwrap()), "{wait}");
    Shown::of(response).await.holds(429, &["locked_out"]);
}

#[tokio::test]
async fn who_has_shown_five_wrong_tokens_waits_and_shuts_out_nobody_who_is_in() {
    let console = Fixture::start().await;
    let operator = console.operator().await;
    let nobody = console.nobody();
    fail(&nobody).await;
    let right = [("token", OPERATOR)];
    put_off(nobody.send(Method::POST, "/login", &right).await).await;
    let link = login_link("", &Secret::new(OPERATOR), clock::now());
    let (_, code) = link.split_once('=').unwrap();
    assert_eq!(console.count("locked_out").await, 1);

    operator.get("/bots").await.holds(200, &[]);
    let api = console.request_as(VIEWER, Method::GET, "/v1/bots");
    assert_eq!(answer(api).await.status, 200);
    // Nobody guesses a link.
    let sent = nobody.send(Method::POST, "/login", &[("code", code)]).await;
    Shown::of(sent).await.leads_to("/overview");
}

#[tokio::test]
async fn who_shows_a_right_token_in_time_begins_to_count_anew() {
    let console = Fixture::start().await;
    let nobody = console.nobody();
    let wrong = [("token", "a-token-of-somebody")];
    for _ in 0..2 {
        for _ in 1..FORGIVEN {
            let refused = nobody.send(Method::POST, "/login", &wrong).await;
            assert_eq!(refused.status(), 403);
        }
        console.operator().await;
    }
}

#[tokio::test]
async fn clients_behind_a_proxy_are_told_apart_by_the_last_address_it_names() {
    let console = Fixture::with(&[("CONSOLE_CLIENT_ADDRESS_HEADER", HEADER)]).await;
    let nobody = console.nobody();
    let sign_in = async |token: &str, told: &[&str]| {
        let request = nobody.request(Method::POST, "/login", &[("token", token)]);
        let request = told
            .iter()
            .fold(request, |request, told| request.header(HEADER, *told));
        request.send().await.unwrap()
    };
    for number in 0..FORGIVEN {
        // What a client says of itself stands before.
        let told = format!("198.51.100.{number}, 203.0.113.1");
        let refused = sign_in("a-token-of-somebody", &[&told]).await;
        assert_eq!(refused.status(), 403);
    }
    put_off(sign_in(OPERATOR, &["203.0.113.1"]).await).await;
    put_off(sign_in(OPERATOR, &["203.0.113.2", "203.0.113.2, 203.0.113.1"]).await).await;
    for other in [&["203.0.113.1, 203.0.113.2"][..], &["203.0.113.1", "203.0.113.3"]] {
        let sent = sign_in(OPERATOR, other).await;
        Shown::of(sent).await.leads_to("/overview");
    }
}
