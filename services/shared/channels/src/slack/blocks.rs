//! Buttons under a message: blocks, which take the place of its text (`channels.md`, section 3.5.2).

use proto_schemas::content::Button;
use serde_json::{Value, json};

use crate::markdown::slack;

/// The longest text that a block takes.
pub(super) const MAX_BLOCK_CHARS: usize = 3000;
/// How the name of a button begins that only opens a page: Slack tells of those that are pressed too.
pub(super) const LINK: &str = "link";

/// The blocks of a text with buttons; none when there are no buttons.
pub(super) fn blocks(text: &str, buttons: &[Button]) -> Option<Value> {
    let elements: Vec<Value> = buttons.iter().enumerate().map(element).collect();
    (!elements.is_empty()).then(|| {
        json!([
            {"type": "section", "text": {"type": "mrkdwn", "text": text}},
            {"type": "actions", "elements": elements},
        ])
    })
}

fn element((index, button): (usize, &Button)) -> Value {
    let text = json!({"type": "plain_text", "text": button.label});
    match &button.url {
        Some(url) => {
            json!({"type": "button", "action_id": format!("{LINK}_{index}"), "text": text, "url": url})
        }
        None => {
            let name = format!("say_{index}");
            json!({"type": "button", "action_id": name, "text": text, "value": button.said()})
        }
    }
}

/// What stands above the buttons of a reply whose own text has no room for them, or that is a file.
pub(super) fn labels(buttons: &[Button]) -> String {
    let labels: Vec<&str> = buttons.iter().map(|button| button.label.as_str()).collect();
    slack::escaped(&labels.join(" / "))
}
