//! Talking to a bot, and seeing what happens meanwhile.

use serde_json::json;

use super::{operator, text};
use crate::fixture::Platform;
use crate::look::inspect;

#[tokio::test]
async fn a_bot_is_connected_and_talked_to_and_stages_and_reply_appear_by_themselves() {
    let platform = Platform::start().await;
    let browser = operator(&platform, "playground").await;
    browser.follow("Playground").await;
    browser.wait_for_path("/playground").await;
    inspect(&browser, "choose").await;
    browser.click("form.narrow button").await;
    browser.wait_for_text("Say something").await;
    inspect(&browser, "empty").await;

    let held = platform.backend.hold();
    browser.type_into("#text", "Hello").await;
    browser.click("main form button").await;
    browser.wait_for_text("not yet").await;
    platform.backend.wait_for_calls(1).await;
    browser.run("window.marked = true", &[]).await;
    browser
        .wait_until(
            "the stage that is at work",
            "return document.querySelector('ol.timeline > li.now') !== null",
        )
        .await;
    assert!(!text(&browser, "main").await.contains("1: Hello"));
    inspect(&browser, "asked").await;
    held.release();
    browser.wait_for_text("1: Hello | heard:").await;
    browser
        .wait_until(
            "the end of its way",
            "return window.marked === true && document.querySelectorAll('ol.timeline > li.done').length === 4",
        )
        .await;
    inspect(&browser, "answered").await;

    for (message, answer) in [
        ("one", "2: one | heard: Hello"),
        ("two", "3: two | heard: Hello,one"),
    ] {
        // Enter sends, as in a chat.
        browser.type_into("#text", &format!("{message}\n")).await;
        browser.wait_for_text(answer).await;
    }
    let said = text(&browser, "ol.talk").await;
    let places = ["1: Hello", "2: one", "3: two"].map(|line| said.find(line));
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{said}");
    inspect(&browser, "talk").await;
}

#[tokio::test]
async fn messages_sent_while_an_answer_is_awaited_are_answered_in_order() {
    let platform = Platform::start().await;
    let browser = operator(&platform, "in_order").await;
    browser.open(&platform.url("/playground").await).await;
    browser.click("form.narrow button").await;
    let held = platform.backend.hold();
    for message in ["one", "two", "three"] {
        browser.type_into("#text", message).await;
        browser.click("main form button").await;
        let asked = format!(
            "return document.querySelector('ol.talk')?.innerText.includes({})",
            json!(message)
        );
        browser.wait_until(message, &asked).await;
    }
    held.release();
    browser.wait_for_text("3: three | heard: one,two").await;
    let said = text(&browser, "ol.talk").await;
    let places = ["1: one", "2: two", "3: three"].map(|line| said.find(line));
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{said}");
    inspect(&browser, "answered").await;
}
