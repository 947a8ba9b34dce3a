//! Buttons under a message (`channels.md`, section 2.5.1).

use proto_schemas::content::Button;
use serde::Serialize;

/// An inline keyboard, each button in a row of its own: a label of any length can be read there.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Keyboard<'a> {
    inline_keyboard: Vec<[Key<'a>; 1]>,
}

#[derive(Debug, Clone, Serialize)]
struct Key<'a> {
    text: &'a str,
    #[serde(flatten)]
    does: Does<'a>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
enum Does<'a> {
    Url(&'a str),
    CallbackData(&'a str),
}

/// The keyboard of a part; none when there are no buttons.
pub(super) fn keyboard(buttons: &[Button]) -> Option<Keyboard<'_>> {
    (!buttons.is_empty()).then(|| Keyboard {
        inline_keyboard: buttons.iter().map(|button| [Key::of(button)]).collect(),
    })
}

impl<'a> Key<'a> {
    fn of(button: &'a Button) -> Self {
        let does = match &button.url {
            Some(url) => Does::Url(url),
            None => Does::CallbackData(button.said()),
        };
        Self {
            text: &button.label,
            does,
        }
    }
}
