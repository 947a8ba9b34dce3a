//! What a webhook answers.

use proto_schemas::context::TurnResult;
use registry::Format;
use webhook_caller::read_reply;

/// What one reply may carry, as the guide tells.
const MAX_ATTACHMENTS: usize = 10;
const MAX_BUTTONS: usize = 25;
const MAX_LABEL_CHARS: usize = 75;

/// `body` as the answer of a webhook in each format.
pub fn webhook_reply(body: &[u8]) {
    let formats = [
        Format::Platform,
        Format::Openai(registry::OpenaiSettings::default()),
        Format::Anthropic(registry::AnthropicSettings::default()),
    ];
    for format in formats {
        let read = read_reply(&format, body);
        assert_eq!(read, read_reply(&format, body));
        match read {
            Ok(TurnResult::Reply {
                content,
                attachments,
                buttons,
                ..
            }) => {
                assert!(
                    !content.trim().is_empty() || !attachments.is_empty(),
                    "it says nothing"
                );
                assert!(format.is_platform() || attachments.is_empty() && buttons.is_empty());
                assert!(attachments.len() <= MAX_ATTACHMENTS && buttons.len() <= MAX_BUTTONS);
                assert!(attachments.iter().all(|attachment| is_web(&attachment.url)));
                let is_labelled = |label: &str| (1..=MAX_LABEL_CHARS).contains(&label.chars().count());
                assert!(buttons.iter().all(|button| is_labelled(&button.label)));
                assert!(
                    buttons
                        .iter()
                        .filter_map(|button| button.url.as_deref())
                        .all(is_web)
                );
            }
            Ok(TurnResult::NoReply) => {}
            Ok(other @ (TurnResult::Failure { .. } | TurnResult::Reset { .. })) => {
                panic!("a webhook cannot say {other:?}")
            }
            Err(class) => assert!(!class.is_empty()),
        }
    }
}

fn is_web(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}
