//! What was sent with a form whose session had ended: it stays on the page that says so, to be sent again with a click. The
//! console itself keeps nothing of it.

use std::collections::HashMap;

use maud::{Markup, html};

use super::layout::seal;
use super::take::SEAL;
use crate::session::Session;

/// The most fields that are kept for who is not signed in. No form of ours has as many; how many bytes they have is bounded
/// where they are read.
const MOST_FIELDS: usize = 64;
/// What of a field is shown, in bytes.
const SHOWN_BYTES: usize = 2_000;

/// Whether so much is kept for a stranger.
pub(super) fn is_kept(form: &HashMap<String, String>) -> bool {
    form.len() <= MOST_FIELDS
}

/// What was sent, and a button that sends it again, as a form of this session if there is one.
pub(super) fn again(session: Option<&Session>, action: &str, form: &HashMap<String, String>) -> Markup {
    // In an order of their own, without the seal, which is another session's.
    let mut fields: Vec<_> = form.iter().filter(|(name, _)| *name != SEAL).collect();
    fields.sort_unstable();
    html! {
        p { "Nothing was done this time. If it was done before, sending it again does it once more. What was sent:" }
        dl.facts {
            dt { "Goes to" } dd { code { (action) } }
            @for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
                dt { (name) } dd { (beginning(value)) }
            }
        }
        form method="post" action=(action) {
            @if let Some(session) = session { (seal(session)) }
            @for (name, value) in &fields { input type="hidden" name=(name) value=(value); }
            button { "Send it again" }
        }
    }
}

fn beginning(value: &str) -> Markup {
    let shown = &value[..value.floor_char_boundary(SHOWN_BYTES)];
    html! {
        pre { (shown) }
        @if shown.len() < value.len() { "and " (value.len() - shown.len()) " bytes more" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(pairs: &[(&str, &str)]) -> HashMap<String, String> {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        pairs.collect()
    }

    #[test]
    fn all_but_the_seal_is_sent_again_as_it_was() {
        let long = "é".repeat(SHOWN_BYTES);
        let sent = form(&[
            ("seal", "old"),
            ("text", "<a>\nb"),
            ("empty", ""),
            ("long", &long),
        ]);
        let page = again(None, "/x?a&b", &sent).into_string();
        for part in [
            "action=\"/x?a&amp;b\"",
            "name=\"text\" value=\"&lt;a&gt;\nb\"",
            "name=\"empty\" value=\"\"",
            &format!("value=\"{long}\""),
            "and 2000 bytes more",
        ] {
            assert!(page.contains(part), "no {part} in {page}");
        }
        assert!(!page.contains("old") && !page.contains("<dt>empty"), "{page}");
    }

    #[test]
    fn no_more_is_kept_than_a_form_of_ours_may_have() {
        let names: Vec<_> = (0..=MOST_FIELDS).map(|number| number.to_string()).collect();
        let fields: Vec<_> = names.iter().map(|name| (name.as_str(), "")).collect();
        assert!(is_kept(&form(&fields[1..])) && !is_kept(&form(&fields)));
    }
}
