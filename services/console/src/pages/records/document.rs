//! A record as text: written for people, read back, and compared.

use maud::{Markup, html};
use serde::Serialize;
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use crate::problem::Problem;

/// Lines around a difference that are shown with it.
const AROUND: usize = 3;

/// The most aliases and nodes of a text.
const MOST_ALIASES: usize = 100;
const MOST_NODES: usize = 20_000;

/// A record as YAML, in the order of its type's fields.
pub(super) fn written<T: Serialize>(record: &T) -> String {
    // By way of JSON, as that is what is stored: YAML has forms of its own for an enum.
    let value = serde_json::to_value(record).unwrap_or_default();
    serde_saphyr::to_string(&value).unwrap_or_else(|_| format!("{value:#}"))
}

/// What was written as YAML or JSON.
///
/// # Errors
/// [`Problem::Unusable`] when it is neither.
pub(super) fn read(text: &str) -> Result<Value, Problem> {
    // A record is a few dozen lines; what repeats itself by aliases may stand for far more than was sent.
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_aliases: MOST_ALIASES, max_nodes: MOST_NODES },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| Problem::Unusable(error.to_string()))
}

/// What differs between two texts, line by line.
pub(super) fn difference(before: &str, after: &str) -> Markup {
    let difference = TextDiff::from_lines(before, after);
    let groups = difference.grouped_ops(AROUND);
    if groups.is_empty() {
        return html! { p { "Nothing differs." } };
    }
    html! {
        pre.difference {
            @for (number, group) in groups.iter().enumerate() {
                @if number > 0 { "⋯\n" }
                @for change in group.iter().flat_map(|operation| difference.iter_changes(operation)) {
                    (line(change.tag(), change.value()))
                }
            }
        }
    }
}

fn line(tag: ChangeTag, text: &str) -> Markup {
    let text = text.strip_suffix('\n').unwrap_or(text);
    html! {
        @match tag {
            ChangeTag::Equal => { "  " (text) }
            ChangeTag::Delete => del { "- " (text) },
            ChangeTag::Insert => ins { "+ " (text) },
        }
        "\n"
    }
}

#[cfg(test)]
mod tests {
    use registry::{Bot, Connection, Manifest};
    use serde_json::json;

    use super::*;

    const EXAMPLE: &str = include_str!("../../../../../deploy/example.yaml");

    #[track_caller]
    fn assert_read_back<T: Serialize>(record: &T) {
        let text = written(record);
        let value = serde_json::to_value(record).unwrap();
        assert_eq!(read(&text).unwrap(), value, "{text}");
    }

    #[test]
    fn a_record_that_was_written_is_read_back() {
        let manifest: Manifest = serde_saphyr::from_str(EXAMPLE).unwrap();
        manifest.bots.iter().for_each(assert_read_back);
        manifest.integrations.iter().for_each(assert_read_back);
        manifest.connections.iter().for_each(assert_read_back);
    }

    #[test]
    fn texts_that_look_like_something_else_stay_texts() {
        for name in [
            "no",
            "0123",
            "1e3",
            "null",
            "~",
            "a: b",
            "# a",
            " a ",
            "a\n\n b\n",
            "\t",
            "'",
            "\"",
            "- a",
            "é\u{1}",
            "",
        ] {
            let bot: Bot =
                serde_json::from_value(json!({"id": "b", "name": name, "integration": "i"})).unwrap();
            assert_read_back(&bot);
        }
        let discord = json!({"id": "d", "bot": "b", "channel": {"discord": {"token": "env:T",
            "application_id": "1457469483726668048", "public_key": "00"}}});
        let discord: Connection = serde_json::from_value(discord).unwrap();
        assert_read_back(&discord);
    }

    #[test]
    fn what_was_stored_is_read_as_json_too_and_anything_else_is_refused() {
        assert_eq!(read(r#"{"id": "a"}"#).unwrap(), json!({"id": "a"}));
        // What a browser makes of the ends of lines.
        assert_eq!(read("a: |\r\n  x\r\n  y\r\n").unwrap(), json!({"a": "x\ny\n"}));
        assert!(matches!(read("a: [1"), Err(Problem::Unusable(_))));
        assert!(matches!(read("a: 1\na: 2"), Err(Problem::Unusable(_))));
    }

    #[test]
    fn a_difference_shows_lines_that_went_and_came_as_text() {
        let shown = difference("a\nb\n<i>\n", "a\nc\n<i>\n").into_string();
        assert_eq!(
            shown,
            "<pre class=\"difference\">  a\n<del>- b</del>\n<ins>+ c</ins>\n  &lt;i&gt;\n</pre>"
        );
        assert_eq!(difference("a", "a").into_string(), "<p>Nothing differs.</p>");
    }
}
