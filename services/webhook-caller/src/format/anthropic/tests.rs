use serde_json::json;

use super::*;
use crate::error::Fate;
use crate::format::Dialect;
use crate::format::tests::{answered, asked, asked_with_files, refused, sent};

fn format() -> Value {
    json!({"anthropic": {"model": "claude-sonnet-5"}})
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

/// A message as the API documents it, with these blocks and this reason.
fn message(content: &Value, stop_reason: &str) -> Vec<u8> {
    json!({
        "id": "msg_013Zva2CMHLNnjNjJKqJ2EF8",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5",
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": null,
        "usage": {
            "input_tokens": 2095,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 503,
            "service_tier": "standard"
        }
    })
    .to_string()
    .into_bytes()
}

#[test]
fn the_prompt_is_a_field_and_the_rest_are_messages() {
    let history = vec![asked("Hi"), answered("Hello.")];
    let expected = json!({
        "model": "claude-sonnet-5",
        "max_tokens": 1024,
        "system": "Be brief.",
        "messages": [
            {"role": "user", "content": [text("Hi")]},
            {"role": "assistant", "content": [text("Hello.")]},
            {"role": "user", "content": [text("And?")]}
        ]
    });
    assert_eq!(
        sent(format(), Some("Be brief."), history, vec![asked("And?")]),
        expected
    );
}

#[test]
fn the_settings_are_sent() {
    let format = json!({"anthropic": {"model": "m", "max_tokens": 64, "temperature": 0}});
    let expected = json!({
        "model": "m",
        "max_tokens": 64,
        "temperature": 0,
        "messages": [{"role": "user", "content": [text("Hi")]}]
    });
    assert_eq!(sent(format, None, vec![], vec![asked("Hi")]), expected);
}

#[test]
fn what_one_says_in_a_row_is_one_message() {
    let history = vec![asked("a"), asked("b"), answered("c"), answered("d"), asked("e")];
    let sent = sent(format(), None, history, vec![asked("f"), asked("g")]);
    let expected = json!([
        {"role": "user", "content": [text("a"), text("b")]},
        {"role": "assistant", "content": [text("c"), text("d")]},
        {"role": "user", "content": [text("e"), text("f"), text("g")]}
    ]);
    assert_eq!(sent["messages"], expected);
}

#[test]
fn a_conversation_cut_before_a_reply_still_begins_with_the_user() {
    let sent = sent(format(), None, vec![answered("Hello.")], vec![asked("And?")]);
    let expected = json!([
        {"role": "user", "content": [text("[earlier messages are left out]")]},
        {"role": "assistant", "content": [text("Hello.")]},
        {"role": "user", "content": [text("And?")]}
    ]);
    assert_eq!(sent["messages"], expected);
}

#[test]
fn images_and_pdfs_are_linked_and_other_files_told_in_words() {
    let linked = |name: &str| json!({"type": "url", "url": format!("https://files.example/in/{name}")});
    let content = json!([
        text("Look"),
        {"type": "image", "source": linked("photo.jpg")},
        {"type": "document", "source": linked("report.pdf"), "title": "report.pdf"},
        text("[File table.csv (text/csv): https://files.example/in/table.csv]"),
        text("[File drawing.svg (image/svg+xml): https://files.example/in/drawing.svg]"),
        text("[File a.mp4 could not be read: too large]")
    ]);
    let sent = sent(format(), None, vec![], vec![asked_with_files("Look")]);
    assert_eq!(sent["messages"], json!([{"role": "user", "content": content}]));
}

#[test]
fn nothing_blank_is_sent() {
    let history = vec![asked("Hi"), answered(" ")];
    let sent = sent(format(), Some("\n"), history, vec![asked(" ")]);
    let content = [text("Hi"), text("[empty message]")];
    assert_eq!(sent["messages"], json!([{"role": "user", "content": content}]));
    assert_eq!(sent.get("system"), None);
}

#[test]
fn the_answer_is_the_text_blocks_and_the_rest_is_metadata() {
    let content = json!([
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "text", "text": "The grass is green", "citations": null},
        {"type": "text", "text": ", and the sky is blue."}
    ]);
    let TurnResult::Reply {
        content,
        attachments,
        buttons: _,
        metadata: Some(metadata),
    } = reply(&message(&content, "end_turn")).unwrap()
    else {
        panic!("no reply with metadata")
    };
    assert_eq!(content, "The grass is green, and the sky is blue.");
    assert!(attachments.is_empty());
    let metadata = Value::Object(metadata);
    assert_eq!(metadata["id"], "msg_013Zva2CMHLNnjNjJKqJ2EF8");
    assert_eq!(metadata["model"], "claude-sonnet-5");
    assert_eq!(metadata["stop_reason"], "end_turn");
    assert_eq!(metadata["usage"]["output_tokens"], 503);
    assert_eq!(metadata.as_object().unwrap().len(), 4);
}

#[test]
fn nothing_to_say_is_no_reply() {
    for content in [json!([]), json!([text("")]), json!([text(" \n")])] {
        assert_eq!(
            reply(&message(&content, "end_turn")).unwrap(),
            TurnResult::NoReply
        );
    }
}

#[test]
fn a_call_of_a_tool_without_words_is_an_error_of_its_own() {
    let call = json!({"type": "tool_use", "id": "toolu_01", "name": "get_weather", "input": {}});
    let error = reply(&message(&json!([call]), "tool_use")).unwrap_err();
    assert_eq!((error.class, error.fate), ("tool_call", Fate::Terminal));
    let with_words = json!([text("One moment."), call]);
    let result = reply(&message(&with_words, "tool_use")).unwrap();
    assert_eq!(result.text(), "One moment.");
}

#[test]
fn a_model_that_is_cut_off_before_its_first_word_is_an_error_of_its_own() {
    let thought = json!({"type": "thinking", "thinking": "Hm.", "signature": "c2ln"});
    let error = reply(&message(&json!([thought]), "max_tokens")).unwrap_err();
    assert_eq!((error.class, error.fate), ("out_of_tokens", Fate::Terminal));
    let with_words = json!([thought, text("Once upon a")]);
    let result = reply(&message(&with_words, "max_tokens")).unwrap();
    assert_eq!(result.text(), "Once upon a");
}

#[test]
fn what_is_no_message_has_the_class_of_its_fault() {
    let class = |body: &str| reply(body.as_bytes()).unwrap_err().class;
    assert_eq!(class("<html>"), "not_json");
    assert_eq!(class("{}"), "no_content");
    assert_eq!(class(r#"{"content":"the guide's"}"#), "no_content");
    assert_eq!(class(r#"{"content":[{"type":"text"}]}"#), "no_content");
}

#[test]
fn an_error_is_told_by_type_and_message() {
    let body = r#"{"type":"error","error":{"type":"not_found_error","message":"model: claude-9"},"request_id":"req_011"}"#;
    let error = refused(Dialect::Anthropic, 404, &[], body);
    assert_eq!(error.detail, "HTTP 404: not_found_error: model: claude-9");
    assert_eq!((error.class, error.fate), ("client_error", Fate::Terminal));
}

#[test]
fn an_overloaded_api_is_asked_again() {
    let body = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let error = refused(Dialect::Anthropic, 529, &[], body);
    assert_eq!(error.class, "server_error");
    assert_eq!(error.fate, Fate::Retry { not_before: None });
    assert_eq!(error.detail, "HTTP 529: overloaded_error: Overloaded");
    let error = refused(Dialect::Anthropic, 429, &[("retry-after", "7")], body);
    let not_before = Some(std::time::Duration::from_secs(7));
    assert_eq!(error.fate, Fate::Retry { not_before });
}
