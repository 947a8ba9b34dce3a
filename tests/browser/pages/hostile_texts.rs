//! Hostile texts as what users, webhooks and operators write, on every page that shows them.

use std::collections::BTreeSet;

use bus::{Outgoing, TraceContext};
use futures_util::future::join_all;
use proto_schemas::dead_letter::DeadLetter;
use proto_schemas::ids::UnixMillis;
use registry::Manifest;
use serde_json::{Value, json};
use testkit::backend::Scripted;
use testkit::condition::{PATIENCE, wait_until};
use tests::manifest::bot;

use super::{fill, operator, visit};
use crate::browser::Browser;
use crate::fixture::{BOT, INTEGRATION, Platform};
use crate::hostile::{assert_harmless, texts};
use crate::look::assert_quiet;

/// What of a text a button shows: no channel takes more.
const LABEL_CHARS: usize = 75;

/// The pages that were looked at, and how often a text was there.
#[derive(Default)]
struct Checked {
    pages: BTreeSet<String>,
    shown: usize,
}

impl Checked {
    /// The page that is open shows these texts, and none of them is more than a text.
    async fn check(&mut self, browser: &Browser, put_in: &[String]) {
        assert_harmless(browser, put_in).await;
        assert_quiet(browser).await;
        self.pages.insert(browser.url().await);
        self.shown += put_in.len();
    }

    /// The same of a page of the console.
    async fn visit(&mut self, platform: &Platform, browser: &Browser, path: &str, put_in: &[String]) {
        visit(platform, browser, path).await;
        self.check(browser, put_in).await;
    }

    fn tell(&self, what: &str) {
        eprintln!(
            "{what}: {} hostile texts were shown {} times on {} pages",
            texts().len(),
            self.shown,
            self.pages.len()
        );
    }
}

/// The backend answers with the text that it is told, also on a button, as a file's name and in the metadata.
fn repeat(platform: &Platform) {
    platform.backend.respond_with(|call| {
        let text = call.last_text();
        let label: String = text.chars().take(LABEL_CHARS).collect();
        let buttons = match label.trim() {
            "" => json!([]),
            _ => json!([{ "label": label, "value": "x" }]),
        };
        Scripted::Reply(json!({ "content": text.clone(), "buttons": buttons, "metadata": { "said": text } }))
    });
}

/// What a user of this name says in a chat of its own, with a file of that name.
fn message(chat: &str, text: &str) -> Value {
    json!({
        "conversation_id": chat,
        "user": { "id": text, "name": text, "username": text },
        "text": text,
        "attachments": [{ "data_base64": "eA==", "name": text, "content_type": "text/plain" }],
    })
}

#[tokio::test]
async fn what_users_and_webhooks_write_is_text_on_every_page_of_conversations() {
    let platform = Platform::start().await;
    repeat(&platform);
    let texts = texts();
    let pushed = texts.iter().enumerate().map(async |(number, text)| {
        let chat = format!("chat-{number}");
        (platform.push(&message(&chat, text)).await, chat, text.clone())
    });
    let pushed = join_all(pushed).await;
    wait_until(PATIENCE, "all answers", async || {
        pushed.iter().all(|(_, chat, _)| platform.replies(chat) > 0)
    })
    .await;

    let browser = operator(&platform, "hostile_conversations").await;
    let mut checked = Checked::default();
    visit(&platform, &browser, "/conversations").await;
    let mut listed = 0;
    loop {
        checked.check(&browser, &[]).await;
        listed += super::count(&browser, "tbody tr").await;
        if super::count(&browser, "a[href*='cursor=']").await == 0 {
            break;
        }
        let before = browser.url().await;
        browser.click("a[href*='cursor=']").await;
        wait_until(PATIENCE, "the next page", async || browser.url().await != before).await;
    }
    assert_eq!(listed, u64::try_from(texts.len()).unwrap());
    for (conversation, _, text) in &pushed {
        let text = std::slice::from_ref(text);
        checked
            .visit(
                &platform,
                &browser,
                &format!("/conversations/{conversation}"),
                text,
            )
            .await;
        let trace = browser
            .run(
                "return document.querySelector('li.user a[href^=\"/messages/\"]').pathname",
                &[],
            )
            .await;
        checked
            .visit(&platform, &browser, trace.as_str().unwrap(), text)
            .await;
    }
    checked.tell("conversations");
    assert_eq!(checked.shown, 2 * texts.len());
}

#[tokio::test]
async fn what_was_given_up_is_text_in_the_list_and_on_its_page() {
    let platform = Platform::start().await;
    let texts = texts();
    for (number, text) in texts.iter().enumerate() {
        publish(&platform, &letter(number, text)).await;
    }
    let browser = operator(&platform, "hostile_dead_letters").await;
    let mut checked = Checked::default();
    visit(&platform, &browser, "/dead-letters").await;
    let (first, rest) = texts.split_at(50);
    checked.check(&browser, first).await;
    browser.follow("Later dead letters").await;
    browser
        .wait_until("the next page", "return location.search.includes('cursor=')")
        .await;
    checked.check(&browser, rest).await;
    for (number, text) in texts.iter().enumerate() {
        let page = format!("/dead-letters/dl_hostile{number}");
        checked
            .visit(&platform, &browser, &page, std::slice::from_ref(text))
            .await;
    }
    let all = texts.join(" ");
    let filters = ["class", "integration", "conversation"].map(|name| (name, &all));
    let filtered = reqwest::Url::parse_with_params("http://x/dead-letters", filters).unwrap();
    let page = format!("/dead-letters?{}", filtered.query().unwrap());
    checked.visit(&platform, &browser, &page, &texts).await;
    checked.tell("dead letters");
}

/// A dead letter that has the text wherever it has words.
fn letter(number: usize, text: &str) -> DeadLetter {
    let attempt = json!({ "integration": INTEGRATION, "class": text, "detail": text, "millis": 1, "at": 1_767_225_603_000_u64 });
    let letter = json!({
        "id": format!("dl_hostile{number}"),
        "stage": "webhook-caller",
        "class": text,
        "cause": text,
        "attempts": [attempt],
        "subject": text,
        "payload": { "text": text },
        "buried_at": UnixMillis(1_767_225_603_000),
    });
    serde_json::from_value(letter).unwrap()
}

async fn publish(platform: &Platform, letter: &DeadLetter) {
    let subject = format!("dead-letters.webhook-caller.hostile.{}", letter.id);
    let message = Outgoing::new(subject, letter, letter.id.as_str(), TraceContext::new()).unwrap();
    platform.bus.publish(message).await.unwrap();
}

#[tokio::test]
async fn what_operators_configure_is_text_on_the_pages_of_bots_and_integrations() {
    let platform = Platform::start().await;
    let texts = texts();
    let bots = texts.iter().enumerate();
    let bots = bots.map(|(number, text)| bot(&format!("h{number}"), INTEGRATION, "queue", words(text)));
    let all = bot("all", INTEGRATION, "queue", words(&texts.join(" ")));
    let bots: Vec<Value> = bots.chain([all]).collect();
    let manifest = json!({ "integrations": [], "connections": [], "bots": bots });
    let manifest: Manifest = serde_json::from_value(manifest).unwrap();
    manifest.store(&platform.bus).await.unwrap();
    let browser = operator(&platform, "hostile_records").await;
    let mut checked = Checked::default();
    wait_until(PATIENCE, "all bots in the list", async || {
        visit(&platform, &browser, "/bots").await;
        super::count(&browser, "tbody tr").await == 50
    })
    .await;
    checked.check(&browser, &[]).await;
    checked.visit(&platform, &browser, "/playground", &texts).await;
    for (number, text) in texts.iter().enumerate() {
        let page = format!("/bots/h{number}");
        checked
            .visit(&platform, &browser, &page, std::slice::from_ref(text))
            .await;
    }
    for page in ["/bots/all", "/bots/all/edit", "/bots/all/history"] {
        checked.visit(&platform, &browser, page, &[]).await;
    }
    checked.tell("bots");
}

/// A bot that has the text wherever it has words.
fn words(text: &str) -> Value {
    json!({ "name": text, "context": { "system_prompt": text }, "error_message": text })
}

#[tokio::test]
async fn what_a_test_or_the_playground_brings_back_is_text_also_where_a_script_puts_it() {
    let platform = Platform::start().await;
    repeat(&platform);
    let texts = texts();
    let browser = operator(&platform, "hostile_replies").await;
    let mut checked = Checked::default();
    for text in &texts {
        visit(&platform, &browser, &format!("/integrations/{INTEGRATION}")).await;
        fill(&browser, "#message", text).await;
        browser.click("button[formaction*='/test']").await;
        browser.wait_for_text("A reply with HTTP 200").await;
        checked.check(&browser, &[as_sent(text)]).await;
    }
    visit(&platform, &browser, "/playground").await;
    browser.click(&format!("option[value={BOT}]")).await;
    browser.click("form.narrow button").await;
    browser.wait_for_text("Say something").await;
    for (number, text) in texts.iter().enumerate() {
        let held = platform.backend.hold();
        fill(&browser, "#text", text).await;
        browser.click("main form button").await;
        // The answer comes into a page that is there.
        browser.wait_for_text("not yet").await;
        held.release();
        let answered = format!(
            "return document.querySelectorAll('li.bot').length === {}",
            number + 1
        );
        browser.wait_until("the answer", &answered).await;
        browser
            .wait_until(
                "the end",
                "return document.querySelectorAll('ol.timeline > li.done').length === 4",
            )
            .await;
        checked.check(&browser, &[as_sent(text)]).await;
    }
    checked.tell("replies");
}

/// A text as a form sends it: with the ends of lines that forms have.
fn as_sent(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
