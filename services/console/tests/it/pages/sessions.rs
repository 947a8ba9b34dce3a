//! Signing in with a token, and what a session is good for.

use std::fs;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::Value;
use testkit::condition::{PATIENCE, wait_until};
use testkit::process::Service;

use super::refusals::HOSTILE;
use super::{Browser, Shown, set_cookie};
use crate::fixture::{Fixture, OPERATOR, VIEWER, start, variables};

#[tokio::test]
async fn a_session_is_a_cookie_that_no_script_and_no_other_site_gets() {
    let console = Fixture::start().await;
    let nobody = console.nobody();
    let form = [("token", OPERATOR)];
    let local = nobody.send(Method::POST, "/login", &form).await;
    let cookie = set_cookie(&local);
    let (session, flags) = cookie.split_once("; ").unwrap();
    assert!(session.starts_with("console=") && !session.contains(OPERATOR));
    assert_eq!(flags, "Path=/; Max-Age=43200; HttpOnly; SameSite=Lax");
    Shown::of(local).await.leads_to("/overview");

    let far = nobody.request(Method::POST, "/login", &form);
    let far = far.header("host", "console.example").send().await.unwrap();
    let cookie = set_cookie(&far);
    let (session, flags) = cookie.split_once("; ").unwrap();
    assert_eq!(flags, "Path=/; Max-Age=43200; HttpOnly; SameSite=Lax; Secure");
    for (cookie, status) in [(session, 200), (session.trim_start_matches("__Host-"), 303)] {
        let mut browser = console.nobody();
        cookie.clone_into(&mut browser.cookie);
        let page = browser.request(Method::GET, "/bots", &[]);
        let page = page.header("host", "console.example").send().await.unwrap();
        assert_eq!(page.status(), status, "{cookie}");
    }
}

#[tokio::test]
async fn a_wrong_token_opens_nothing_tells_nothing_and_is_counted() {
    let console = Fixture::start().await;
    let nobody = console.nobody();
    let longer = format!("{OPERATOR}x");
    let mut told = Vec::new();
    for wrong in ["", "<b>", &OPERATOR[1..], &longer] {
        let refused = nobody.send(Method::POST, "/login", &[("token", wrong)]).await;
        assert_eq!(set_cookie(&refused), "");
        let refused = Shown::of(refused).await;
        refused.holds(
            403,
            &["That does not sign you in", "unauthorized", "name=\"token\""],
        );
        told.push(refused.html);
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
    let counted = async |outcome: &str| {
        let labels = format!("{{action=\"session.begin\",outcome=\"{outcome}\",service=\"console\"}}");
        console.series(&format!("operator_requests_total{labels}")).await
    };
    assert_eq!(counted("refused").await, 4);
    assert_eq!(console.count("unauthorized").await, 4);
    console.operator().await;
    assert_eq!(counted("done").await, 1);
}

#[tokio::test]
async fn a_session_holds_on_every_replica_until_its_token_is_replaced() {
    let console = Fixture::start().await;
    let replica = start(console.nats.url(), &console.folder, OPERATOR, &[]);
    let replica = replica.await.unwrap();
    let other = format!("http://{}", replica.address("http").unwrap());
    let (operator, viewer) = (console.operator().await, console.viewer().await);
    let operators = [operator.at(other.clone()), operator];
    let viewers = [viewer.at(other), viewer];
    for operator in &operators {
        let seal = operator.get("/bots").await.value("seal");
        let form = [("seal", &*seal), ("id", "b"), ("text", "id: b")];
        let sent = operator.send(Method::POST, "/new-bot/check", &form).await;
        assert_eq!(sent.status(), 422, "taken on both, and found wrong");
    }
    fs::write(console.folder.path().join("operator"), "a-new-operator-of-tests").unwrap();
    for operator in &operators {
        operator.get("/bots").await.leads_to("/login?next=%2Fbots");
    }
    for viewer in &viewers {
        viewer.get("/bots").await.holds(200, &["Signed in as viewer"]);
    }
}

#[tokio::test]
async fn who_signs_out_has_no_cookie_any_more() {
    let console = Fixture::start().await;
    let operator = console.operator().await;
    let foreign = operator
        .send(Method::POST, "/logout", &[("seal", "of another")])
        .await;
    assert_eq!(set_cookie(&foreign), "");
    let foreign = Shown::of(foreign).await;
    foreign.holds(403, &["foreign_form", "action=\"/logout\"", "Send it again"]);
    let seal = operator.get("/bots").await.value("seal");
    let sent = operator.send(Method::POST, "/logout", &[("seal", &seal)]).await;
    assert_eq!(
        set_cookie(&sent),
        "console=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
    );
    Shown::of(sent).await.leads_to("/login");
    let nobody = console.nobody().send(Method::POST, "/logout", &[]).await;
    Shown::of(nobody).await.leads_to("/login");
}

#[tokio::test]
async fn who_is_not_signed_in_is_led_to_sign_in_and_back() {
    let console = Fixture::start().await;
    let nobody = console.nobody();
    let wanted = "/dead-letters?class=a%20b";
    let login = "/login?next=%2Fdead-letters%3Fclass%3Da%2520b";
    nobody.get(wanted).await.leads_to(login);
    let next = nobody.get(login).await;
    next.holds(200, &["name=\"token\""]).lacks(&["Sign out", "/bots"]);
    let form = [("token", OPERATOR), ("next", &*next.value("next"))];
    let sent = nobody.send(Method::POST, "/login", &form).await;
    Shown::of(sent).await.leads_to(wanted);

    for unknown in ["/nowhere", "/bots/a/b/c", "/wp-login.php"] {
        nobody.get(unknown).await.leads_to("/login?next=%2F");
    }
    let sent = nobody.send(Method::GET, "/logout", &[]).await;
    Shown::of(sent).await.leads_to("/login?next=%2F");
    nobody.get("/").await.leads_to("/overview");
    let operator = console.operator().await;
    operator.get("/login?next=/bots").await.leads_to("/bots");
    operator.get("/nowhere").await.holds(404, &["no_route"]);
    operator
        .get("/logout")
        .await
        .holds(405, &["wrong_method", "Sign out"]);
}

#[tokio::test]
async fn a_form_outlives_the_session_in_which_it_was_filled_in() {
    let console = Fixture::start().await;
    let nobody = console.nobody();
    let text = format!("id: b\nname: {HOSTILE}\nintegration: support\n");
    let form = [("seal", "of an ended session"), ("id", "b"), ("text", &*text)];
    let sent = nobody.send(Method::POST, "/new-bot?from=here", &form).await;
    let page = Shown::of(sent).await;
    page.holds(
        403,
        &[
            "You are not signed in any more",
            "action=\"/new-bot?from=here\"",
            "href=\"/login\"",
        ],
    )
    .lacks(&["of an ended session", "Sign out", "<script>", "<b>"]);
    let kept = unescaped(&page.value("text"));
    assert_eq!(kept, text);

    // Who is signed in now is asked, and a viewer's click loses nothing either.
    let (viewer, operator) = (console.viewer().await, console.operator().await);
    let form = [("id", "b"), ("text", &*kept)];
    let sent = viewer.send(Method::POST, "/new-bot?from=here", &form).await;
    let page = Shown::of(sent).await;
    page.holds(403, &["forbidden", "Send it again?"]);
    assert_eq!(unescaped(&page.value("text")), text);
    let sent = operator.send(Method::POST, "/new-bot?from=here", &form).await;
    let again = Shown::of(sent).await;
    again
        .holds(
            403,
            &[
                "Nothing was done this time",
                "action=\"/new-bot?from=here\"",
                "Sign out",
            ],
        )
        .lacks(&["<script>", "<b>"]);
    operator.get("/bots/b").await.holds(404, &["not_found"]);
    let (seal, text) = (again.value_behind("<dl", "seal"), unescaped(&again.value("text")));
    let form = [("seal", &*seal), ("id", "b"), ("text", &*text)];
    let sent = operator.send(Method::POST, "/new-bot?from=here", &form).await;
    Shown::of(sent).await.leads_to("/bots/b?done=put");
}

#[tokio::test]
async fn a_mistyped_token_does_not_lose_where_one_was_going() {
    let console = Fixture::start().await;
    let form = [("token", "a-wrong-token"), ("next", "/bots?cursor=a")];
    let sent = console.nobody().send(Method::POST, "/login", &form).await;
    let refused = Shown::of(sent).await;
    refused.holds(403, &["That does not sign you in"]);
    assert_eq!(refused.value("next"), "/bots?cursor=a");
}

#[tokio::test]
async fn of_strangers_only_a_form_as_ours_is_kept_and_few_a_second() {
    let console = Fixture::start().await;
    let nobody = console.nobody();
    let names: Vec<_> = (0..1_000).map(|number| format!("f{number}")).collect();
    let fields: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
    let sent = nobody.send(Method::POST, "/new-bot", &fields).await;
    Shown::of(sent).await.leads_to("/login?next=%2F");
    // More than are listened to in the second that this may take.
    let many = (0..50).map(|_| nobody.send(Method::POST, "/new-bot", &[("id", "b")]));
    let answers = join_all(many).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status() == 429).collect();
    assert!(
        !refused.is_empty() && refused.len() < answers.len(),
        "{answers:?}"
    );
    assert!(refused[0].headers().contains_key("retry-after"), "{refused:?}");
}

#[tokio::test]
async fn a_form_of_an_earlier_session_is_sent_again_with_a_click() {
    let console = Fixture::start().await;
    let (before, now) = (console.operator().await, console.operator().await);
    let old = before.get("/bots").await.value("seal");
    let form = [
        ("seal", &*old),
        ("id", "b"),
        ("name", "B"),
        ("integration", "support"),
    ];
    let sent = now.send(Method::POST, "/new-bot", &form).await;
    let again = Shown::of(sent).await;
    again.holds(
        403,
        &[
            "foreign_form",
            "filled in before you signed in last",
            "Send it again",
            "action=\"/new-bot\"",
        ],
    );
    let seal = again.value_behind("<dl", "seal");
    assert_ne!(seal, old);
    let form = ["id", "name", "integration"].map(|name| (name, again.value(name)));
    let form: Vec<_> = form.iter().map(|(name, value)| (*name, &**value)).collect();
    let form = [&[("seal", &*seal)], &form[..]].concat();
    let sent = now.send(Method::POST, "/new-bot", &form).await;
    Shown::of(sent).await.leads_to("/bots/b?done=put");
}

#[tokio::test]
async fn what_another_site_sends_is_not_kept() {
    let console = Fixture::start().await;
    let operator = console.operator().await;
    for browser in [&console.nobody(), &operator] {
        let sent = browser.request(Method::POST, "/new-bot", &[("id", "of-another-site")]);
        let sent = sent.header("sec-fetch-site", "cross-site").send().await.unwrap();
        Shown::of(sent)
            .await
            .holds(403, &["foreign_form"])
            .lacks(&["of-another-site", "Send it again"]);
    }
}

/// What a browser reads in an attribute.
fn unescaped(html: &str) -> String {
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")]
        .into_iter()
        .fold(html.to_owned(), |text, (escaped, letter)| {
            text.replace(escaped, letter)
        })
}

#[tokio::test]
async fn nobody_is_led_to_another_site() {
    let console = Fixture::start().await;
    let nobody = console.nobody();
    for elsewhere in ["//evil.example", "https://evil.example/", "/\\evil.example", ""] {
        let form = [("token", VIEWER), ("next", elsewhere)];
        let sent = nobody.send(Method::POST, "/login", &form).await;
        Shown::of(sent).await.leads_to("/overview");
    }
    let login = nobody.get("/login?next=https://evil.example/").await;
    assert_eq!(login.value("next"), "/overview");
}

#[tokio::test]
async fn the_log_says_who_has_signed_in_and_with_which_token_but_not_what_it_is() {
    let console = Fixture::start().await;
    let variables = variables(console.nats.url(), &console.folder, OPERATOR);
    let service = Service::start("console", &variables).await;
    service.ready().await;
    let url = format!("http://{}", service.address("http").await);
    let nobody = Browser::stranger(url.clone());
    let wrong = [("token", "a-token-of-somebody")];
    assert_eq!(nobody.send(Method::POST, "/login", &wrong).await.status(), 403);
    let viewer = Browser::signed_in(url, VIEWER).await;
    let begun = || -> Vec<Value> {
        let logs = service.logs();
        let lines = logs
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["action"] == "session.begin").collect()
    };
    wait_until(PATIENCE, "a line", async || !begun().is_empty()).await;
    let begun = begun();
    let token = format!("file:{}", console.folder.path().join("viewer").display());
    assert_eq!(begun.len(), 1, "{begun:?}");
    let line = &begun[0];
    assert_eq!(
        (&line["target"], &line["outcome"]),
        (&"audit".into(), &"done".into())
    );
    assert_eq!((&line["role"], &line["token"]), (&"viewer".into(), &token.into()));
    let logs = service.logs();
    let (_, session) = viewer.cookie.split_once('=').unwrap();
    for secret in [VIEWER, "a-token-of-somebody", session] {
        assert!(!logs.contains(secret), "{logs}");
    }
}
