//! Finding a conversation, and what became of a message.

use super::{count, operator, text};
use crate::fixture::Platform;
use crate::look::{assert_quiet, inspect};

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
