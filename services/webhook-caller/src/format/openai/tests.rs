use std::time::Duration;

use serde_json::json;

use super::*;
use crate::error::Fate;
use crate::format::Dialect;
use crate::format::tests::{answered, asked, asked_with_files, refused, sent};

fn format() -> Value {
    json!({"openai": {"model": "gpt-4o-mini"}})
}

/// A completion as the API documents it, with this message and reason.
fn completion(message: &Value, finish_reason: &str) -> Vec<u8> {
    json!({
        "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
        "object": "chat.completion",
        "created": 1_741_569_952,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [{
            "index": 0,
            "message": message,
            "logprobs": null,
            "finish_reason": finish_reason
        }],
        "usage": {
            "prompt_tokens": 19,
            "completion_tokens": 10,
            "total_tokens": 29,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0}
        },
        "service_tier": "default",
        "system_fingerprint": null
    })
    .to_string()
    .into_bytes()
}

fn said(content: Value) -> Vec<u8> {
    let message = json!({"role": "assistant", "content": content, "refusal": null, "annotations": []});
    completion(&message, "stop")
}

#[test]
fn prompt_history_and_question_become_messages() {
    let history = vec![asked("Hi"), answered("Hello.")];
    let expected = json!({
        "model": "gpt-4o-mini",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello."},
            {"role": "user", "content": "And?"},
            {"role": "user", "content": "Well?"}
        ]
    });
    assert_eq!(
        sent(
            format(),
            Some("Be brief."),
            history,
            vec![asked("And?"), asked("Well?")]
        ),
        expected
    );
}

#[test]
fn the_settings_are_sent_as_the_api_names_them() {
    let format = json!({"openai": {"model": "o4-mini", "max_tokens": 500, "temperature": 0.5}});
    let expected = json!({
        "model": "o4-mini",
        "messages": [{"role": "user", "content": "Hi"}],
        "max_completion_tokens": 500,
        "temperature": 0.5
    });
    assert_eq!(sent(format, None, vec![], vec![asked("Hi")]), expected);
}

#[test]
fn images_are_linked_and_other_files_told_in_words() {
    let content = json!([
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": "https://files.example/in/photo.jpg"}},
        {"type": "text", "text": "[File report.pdf (application/pdf): https://files.example/in/report.pdf]"},
        {"type": "text", "text": "[File table.csv (text/csv): https://files.example/in/table.csv]"},
        {"type": "text", "text": "[File drawing.svg (image/svg+xml): https://files.example/in/drawing.svg]"},
        {"type": "text", "text": "[File a.mp4 could not be read: too large]"}
    ]);
    let sent = sent(format(), None, vec![], vec![asked_with_files("Look")]);
    assert_eq!(sent["messages"], json!([{"role": "user", "content": content}]));
}

#[test]
fn nothing_blank_is_sent() {
    let history = vec![asked(" "), answered("\n")];
    let sent = sent(format(), Some(" "), history, vec![asked_with_files("")]);
    let messages = sent["messages"].as_array().unwrap();
    assert_eq!(messages[0], json!({"role": "user", "content": "[empty message]"}));
    assert_eq!(messages[1]["content"][0]["type"], "image_url");
    assert_eq!(messages.len(), 2);
}

#[test]
fn the_answer_is_the_content_and_the_rest_is_metadata() {
    let TurnResult::Reply {
        content,
        attachments,
        buttons: _,
        metadata: Some(metadata),
    } = reply(&said(json!("Hello! How can I help?"))).unwrap()
    else {
        panic!("no reply with metadata")
    };
    assert_eq!(
        (content.as_str(), attachments.len()),
        ("Hello! How can I help?", 0)
    );
    let metadata = Value::Object(metadata);
    assert_eq!(metadata["id"], "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT");
    assert_eq!(metadata["model"], "gpt-4o-mini-2024-07-18");
    assert_eq!(metadata["finish_reason"], "stop");
    assert_eq!(metadata["usage"]["total_tokens"], 29);
    assert_eq!(metadata.as_object().unwrap().len(), 4);
}

#[test]
fn a_server_that_tells_less_than_the_api_is_understood() {
    let result = reply(br#"{"choices":[{"message":{"role":"assistant","content":"Hi"}}]}"#).unwrap();
    assert_eq!(result.text(), "Hi");
}

#[test]
fn a_refusal_of_the_model_is_shown() {
    let message =
        json!({"role": "assistant", "content": null, "refusal": "I'm sorry, I can't help with that."});
    let result = reply(&completion(&message, "stop")).unwrap();
    assert_eq!(result.text(), "I'm sorry, I can't help with that.");
}

#[test]
fn nothing_to_say_is_no_reply() {
    for content in [json!(null), json!(""), json!(" \n")] {
        assert_eq!(reply(&said(content)).unwrap(), TurnResult::NoReply);
    }
}

#[test]
fn a_call_of_a_tool_without_words_is_an_error_of_its_own() {
    let call = json!({"id": "call_abc", "type": "function",
        "function": {"name": "get_weather", "arguments": "{}"}});
    let mut message = json!({"role": "assistant", "content": null, "tool_calls": [call]});
    let error = reply(&completion(&message, "tool_calls")).unwrap_err();
    assert_eq!((error.class, error.fate), ("tool_call", Fate::Terminal));
    message["content"] = json!("One moment.");
    let result = reply(&completion(&message, "tool_calls")).unwrap();
    assert_eq!(result.text(), "One moment.");
    let message = json!({"role": "assistant", "content": "", "tool_calls": []});
    assert_eq!(reply(&completion(&message, "stop")).unwrap(), TurnResult::NoReply);
}

#[test]
fn a_model_that_is_cut_off_before_its_first_word_is_an_error_of_its_own() {
    let message = |content: &str| json!({"role": "assistant", "content": content, "refusal": null});
    let error = reply(&completion(&message(""), "length")).unwrap_err();
    assert_eq!((error.class, error.fate), ("out_of_tokens", Fate::Terminal));
    let result = reply(&completion(&message("Once upon a"), "length")).unwrap();
    assert_eq!(result.text(), "Once upon a");
}

#[test]
fn what_is_no_completion_has_the_class_of_its_fault() {
    let class = |body: &str| reply(body.as_bytes()).unwrap_err().class;
    assert_eq!(class("<html>"), "not_json");
    assert_eq!(class("{}"), "no_content");
    assert_eq!(class(r#"{"choices":[]}"#), "no_content");
    assert_eq!(class(r#"{"choices":[{"message":{"content":1}}]}"#), "no_content");
    assert_eq!(class(r#"{"content":"the guide's"}"#), "no_content");
}

#[test]
fn an_error_is_told_by_type_and_message() {
    let body = r#"{"error":{"message":"The model `gpt-9` does not exist","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#;
    let error = refused(Dialect::Openai, 404, &[], body);
    assert_eq!(
        error.detail,
        "HTTP 404: invalid_request_error: The model `gpt-9` does not exist"
    );
    assert_eq!((error.class, error.fate), ("client_error", Fate::Terminal));
    let error = refused(
        Dialect::Openai,
        400,
        &[],
        r#"{"error":{"message":"no","code":400}}"#,
    );
    assert_eq!(error.detail, "HTTP 400: no");
}

#[test]
fn an_empty_account_is_terminal_and_a_busy_one_is_not() {
    let body = |code: &str| {
        json!({"error": {"message": "m", "type": code, "param": null, "code": code}}).to_string()
    };
    let error = refused(Dialect::Openai, 429, &[], &body("insufficient_quota"));
    assert_eq!((error.class, error.fate), ("insufficient_quota", Fate::Terminal));
    let error = refused(Dialect::Openai, 429, &[], &body("rate_limit_exceeded"));
    assert_eq!(error.class, "rate_limited");
    assert!(matches!(error.fate, Fate::Retry { .. }));
}

#[test]
fn a_pause_is_taken_from_retry_after_before_the_limits() {
    let limits = ("x-ratelimit-reset-tokens", "6m0s");
    let fate =
        |status, headers: &[(&'static str, &str)]| refused(Dialect::Openai, status, headers, "{}").fate;
    let not_before = |millis| Fate::Retry {
        not_before: Some(Duration::from_millis(millis)),
    };
    assert_eq!(fate(429, &[("retry-after", "2"), limits]), not_before(2_000));
    assert_eq!(fate(429, &[("retry-after-ms", "20"), limits]), not_before(20));
    assert_eq!(fate(429, &[limits]), not_before(360_000));
    // Every answer has the limits' headers; they say nothing about an outage.
    assert_eq!(fate(503, &[limits]), Fate::Retry { not_before: None });
}
