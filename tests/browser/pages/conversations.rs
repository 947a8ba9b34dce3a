//! Finding a conversation, and what became of a message.

use testkit::condition::{PATIENCE, wait_until};
use tests::manifest::RESET_MESSAGE;

use super::{count, operator, text, visit};
use crate::fixture::Platform;
use crate::look::{assert_quiet, assert_refused, inspect};

#[tokio::test]
async fn a_conversation_is_found_and_read_and_its_messages_are_traced_through_the_stages() {
    let platform = Platform::start().await;
    platform.ask("ada", "How are you?").await;
    let conversation = platform.ask("ada", "And now?").await;
    platform.ask("bob", "Somebody else").await;
    let browser = operator(&platform, "conversations").await;

    browser.follow("Conversations").await;
    browser.wait_for_path("/conversations").await;
    assert_eq!(
        count(&browser, "tbody tr").await,
        2,
        "one line of each conversation"
    );
    inspect(&browser, "list").await;

    browser.follow(&conversation).await;
    browser
        .wait_for_path(&format!("/conversations/{conversation}"))
        .await;
    let said = text(&browser, "ol.talk").await;
    let places = [
        "How are you?",
        "1: How are you?",
        "And now?",
        "2: And now? | heard: How are you?",
    ]
    .map(|line| said.find(line).unwrap_or_else(|| panic!("{line} in {said}")));
    assert!(places.is_sorted(), "{said}");
    assert!(!said.contains("Somebody else"), "{said}");
    inspect(&browser, "conversation").await;

    browser.click("li.user:nth-child(3) a").await;
    browser.wait_for_text("What happened at each stage").await;
    let story = text(&browser, "ol.timeline").await;
    let stages = ["ingress", "context-builder", "webhook-caller", "egress"]
        .map(|stage| story.find(stage).unwrap_or_else(|| panic!("{stage} in {story}")));
    assert!(stages.is_sorted(), "{story}");
    assert_eq!(count(&browser, "ol.timeline > li.done").await, 4, "{story}");
    assert!(text(&browser, "ol.talk").await.contains("2: And now?"));
    inspect(&browser, "trace").await;
    browser.follow(&conversation).await;
    browser
        .wait_for_path(&format!("/conversations/{conversation}"))
        .await;
    assert_quiet(&browser).await;
}

#[tokio::test]
async fn a_conversation_starts_afresh_and_is_removed_for_good() {
    let platform = Platform::start().await;
    let conversation = platform.ask("ada", "Remember this").await;
    let page = format!("/conversations/{conversation}");
    let browser = operator(&platform, "conversation_actions").await;
    visit(&platform, &browser, &page).await;
    browser.click("form[action$='/reset'] button").await;
    browser.wait_for_text("It starts afresh").await;
    inspect(&browser, "reset").await;
    // The user is told, and the bot has forgotten.
    wait_until(PATIENCE, "the user to be told", async || {
        let received = platform.callbacks.received();
        received.iter().any(|reply| reply.text() == RESET_MESSAGE)
    })
    .await;
    platform.ask("ada", "What was it?").await;
    visit(&platform, &browser, &page).await;
    let said = text(&browser, "ol.talk").await;
    assert!(
        said.contains("1: What was it? | heard:") && said.contains("The conversation starts afresh."),
        "{said}"
    );

    browser.click("details summary").await;
    inspect(&browser, "removing").await;
    browser.click("form[action$='/forget'] button").await;
    browser
        .wait_for_text("What was stored of the conversation is removed:")
        .await;
    assert_eq!(count(&browser, "tbody tr").await, 0);
    inspect(&browser, "removed").await;
    visit(&platform, &browser, &page).await;
    browser.wait_for_text("not_found").await;
    assert_refused(&browser, 404).await;
}
