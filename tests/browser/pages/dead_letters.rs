//! What was given up: found, sent again, removed.

use testkit::backend::{always, echo};
use testkit::condition::{PATIENCE, wait_until};

use super::{count, operator, text, visit};
use crate::fixture::Platform;
use crate::look::{assert_quiet, inspect};

#[tokio::test]
async fn a_dead_letter_is_found_and_replayed_and_another_removed() {
    let platform = Platform::start().await;
    platform.backend.respond_with(always(400));
    let replayed = platform.ask("ada", "Bring me back").await;
    let removed = platform.ask("bob", "Forget me").await;
    platform.backend.respond_with(echo);
    let browser = operator(&platform, "dead_letters").await;

    browser.follow("Dead letters").await;
    browser.wait_for_path("/dead-letters").await;
    assert_eq!(count(&browser, "tbody tr").await, 2);
    inspect(&browser, "list").await;
    browser.type_into("#class", "timeout").await;
    browser.click("form[role=search] button").await;
    browser.wait_for_text("There are none").await;
    visit(&platform, &browser, "/dead-letters").await;
    browser.click("#stage option[value=webhook-caller]").await;
    browser.type_into("#conversation", &replayed).await;
    browser.click("form[role=search] button").await;
    browser
        .wait_until(
            "the one that was asked for",
            "return location.search !== '' && document.querySelectorAll('tbody tr').length === 1",
        )
        .await;

    browser.click("tbody a").await;
    browser.wait_for_text("Its work").await;
    let cause = text(&browser, "main").await;
    assert!(cause.contains("400") && cause.contains(&replayed), "{cause}");
    inspect(&browser, "letter").await;
    browser.click("form[action$='/replay'] button").await;
    browser.wait_for_text("goes through the pipeline again").await;
    wait_until(PATIENCE, "the reply to what was replayed", async || {
        let received = platform.callbacks.received();
        received
            .iter()
            .any(|reply| reply.text().contains(": Bring me back |"))
    })
    .await;
    inspect(&browser, "replayed").await;

    visit(
        &platform,
        &browser,
        &format!("/dead-letters?conversation={removed}"),
    )
    .await;
    browser.click("tbody a").await;
    browser.click("details summary").await;
    inspect(&browser, "removing").await;
    browser.click("form[action$='/delete'] button").await;
    browser.wait_for_text("The dead letter is removed").await;
    visit(&platform, &browser, "/dead-letters").await;
    browser.wait_for_text("There are none").await;
    assert_quiet(&browser).await;
}

#[tokio::test]
async fn all_that_a_filter_lets_through_are_replayed_or_removed_together() {
    let platform = Platform::start().await;
    platform.backend.respond_with(always(400));
    for chat in ["ada", "bob"] {
        platform.ask(chat, "Bring me back").await;
    }
    platform.backend.respond_with(always(401));
    for chat in ["eve", "joe"] {
        platform.ask(chat, "Forget me").await;
    }
    platform.backend.respond_with(echo);
    let browser = operator(&platform, "dead_letters_together").await;
    visit(&platform, &browser, "/dead-letters").await;
    let class = "return [...document.querySelectorAll('td[data-label=Class]')].map((cell) => cell.innerText)";
    let classes = browser.run(class, &[]).await;
    let [refused, missing] = [0, 3].map(|line| classes[line].as_str().unwrap().to_owned());
    assert_ne!(refused, missing, "{classes}");

    browser.type_into("#class", &refused).await;
    browser.click("form[role=search] button").await;
    browser
        .wait_until(
            "those of the class",
            "return location.search !== '' && document.querySelectorAll('tbody tr').length === 2",
        )
        .await;
    browser.click("details.panel summary").await;
    inspect(&browser, "filtered").await;
    browser.click("form[action='/dead-letters/replay'] button").await;
    browser
        .wait_for_text("2 dead letters were replayed, 0 not.")
        .await;
    inspect(&browser, "replayed").await;
    for chat in ["ada", "bob"] {
        wait_until(PATIENCE, "the reply to what was replayed", async || {
            platform.replies(chat) == 2
        })
        .await;
    }

    browser.follow("Back to the dead letters").await;
    browser.wait_for_path("/dead-letters").await;
    browser.click("details.panel summary").await;
    browser.click("form[action='/dead-letters/purge'] button").await;
    browser.wait_for_text("2 dead letters were removed, 0 not.").await;
    browser.follow("Back to the dead letters").await;
    browser.wait_for_text("There are none").await;
    assert_eq!(["eve", "joe"].map(|chat| platform.replies(chat)), [1, 1]);
    assert_quiet(&browser).await;
}
