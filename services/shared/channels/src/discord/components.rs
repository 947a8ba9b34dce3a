//! Buttons under a message (`channels.md`, section 4.5.3).

use std::collections::HashSet;

use outbound::is_web;
use proto_schemas::content::Button;
use serde::Serialize;

const MAX_BUTTONS: usize = ROWS * IN_A_ROW;
const ROWS: usize = 5;
const IN_A_ROW: usize = 5;
const MAX_LABEL_CHARS: usize = 80;
const MAX_ID_CHARS: usize = 100;
const MAX_URL_CHARS: usize = 512;

// Kinds of components.
const ROW: u8 = 1;
const BUTTON: u8 = 2;

// Styles of buttons.
const PRIMARY: u8 = 1;
const LINK: u8 = 5;

/// A row of buttons.
#[derive(Serialize)]
pub(super) struct Row<'a> {
    #[serde(rename = "type")]
    kind: u8,
    components: Vec<Component<'a>>,
}

#[derive(Serialize)]
struct Component<'a> {
    #[serde(rename = "type")]
    kind: u8,
    style: u8,
    label: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
}

/// The buttons that Discord takes, and lines of text for those that it would refuse the message for.
pub(super) fn fitting(buttons: &[Button]) -> (Vec<Button>, Vec<String>) {
    let (mut fitting, mut lines, mut used) = (Vec::new(), Vec::new(), HashSet::new());
    for button in buttons {
        // Two buttons of a message may not say the same.
        let fits = fitting.len() < MAX_BUTTONS
            && is_sound(button)
            && (button.url.is_some() || used.insert(button.said()));
        if fits {
            fitting.push(button.clone());
        } else {
            lines.push(line(button));
        }
    }
    (fitting, lines)
}

/// Buttons that fit, in rows.
pub(super) fn rows(buttons: &[Button]) -> Vec<Row<'_>> {
    buttons
        .chunks(IN_A_ROW)
        .map(|buttons| Row {
            kind: ROW,
            components: buttons.iter().map(component).collect(),
        })
        .collect()
}

fn component(button: &Button) -> Component<'_> {
    let url = button.url.as_deref();
    Component {
        kind: BUTTON,
        style: if url.is_some() { LINK } else { PRIMARY },
        label: &button.label,
        custom_id: url.is_none().then(|| button.said()),
        url,
    }
}

fn is_sound(button: &Button) -> bool {
    let is_within = |text: &str, limit| (1..=limit).contains(&text.chars().count());
    let does = match &button.url {
        Some(url) => is_within(url, MAX_URL_CHARS) && is_web(url),
        None => is_within(button.said(), MAX_ID_CHARS),
    };
    does && !button.label.trim().is_empty() && is_within(&button.label, MAX_LABEL_CHARS)
}

fn line(button: &Button) -> String {
    match &button.url {
        Some(url) => format!("{}: {url}", button.label),
        None => button.label.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn button(label: &str, value: Option<&str>, url: Option<&str>) -> Button {
        Button {
            label: label.to_owned(),
            value: value.map(str::to_owned),
            url: url.map(str::to_owned),
        }
    }

    fn lines(buttons: &[Button]) -> Vec<String> {
        fitting(buttons).1
    }

    #[test]
    fn a_button_says_its_value_or_label_or_opens_its_page() {
        let buttons = [
            button("Yes", Some("ok:42"), None),
            button("Later", None, None),
            button("Docs", None, Some("https://docs.test/")),
        ];
        let rows = serde_json::to_value(rows(&fitting(&buttons).0)).unwrap();
        let expected = json!([{"type": 1, "components": [
            {"type": 2, "style": 1, "label": "Yes", "custom_id": "ok:42"},
            {"type": 2, "style": 1, "label": "Later", "custom_id": "Later"},
            {"type": 2, "style": 5, "label": "Docs", "url": "https://docs.test/"},
        ]}]);
        assert_eq!(rows, expected);
    }

    #[test]
    fn five_rows_of_five_fit_and_the_next_is_text() {
        let buttons: Vec<Button> = (0..=MAX_BUTTONS)
            .map(|number| button(&number.to_string(), None, None))
            .collect();
        let (fitting, lines) = fitting(&buttons);
        let rows = rows(&fitting);
        assert_eq!(rows.len(), ROWS);
        assert!(rows.iter().all(|row| row.components.len() == IN_A_ROW));
        assert_eq!(lines, ["25"]);
    }

    #[test]
    fn what_discord_would_refuse_is_text() {
        let text = |count: usize| "é".repeat(count);
        let url = |count: usize| format!("https://a.test/{}", "x".repeat(count - 15));
        for (sound, too_much) in [
            (
                button(&text(MAX_LABEL_CHARS), Some("v"), None),
                button(&text(MAX_LABEL_CHARS + 1), Some("v"), None),
            ),
            (
                button("a", Some(&text(MAX_ID_CHARS)), None),
                button("a", Some(&text(MAX_ID_CHARS + 1)), None),
            ),
            (
                button("a", None, Some(&url(MAX_URL_CHARS))),
                button("a", None, Some(&url(MAX_URL_CHARS + 1))),
            ),
        ] {
            assert_eq!(lines(&[sound]), [""; 0]);
            assert_eq!(lines(std::slice::from_ref(&too_much)), [line(&too_much)]);
        }
        assert_eq!(lines(&[button(" ", Some("v"), None)]), [" "]);
        assert_eq!(lines(&[button("a", Some(""), None)]), ["a"]);
        assert_eq!(
            lines(&[button("a", None, Some("ftp://a.test/"))]),
            ["a: ftp://a.test/"]
        );
    }

    #[test]
    fn of_two_buttons_that_say_the_same_one_is_text() {
        let twice = [button("Yes", Some("ok"), None), button("Sure", Some("ok"), None)];
        assert_eq!(lines(&twice), ["Sure"]);
        let pages = [
            button("A", None, Some("https://a.test/")),
            button("B", None, Some("https://a.test/")),
        ];
        assert_eq!(lines(&pages), [""; 0]);
    }
}
