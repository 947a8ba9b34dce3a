//! What was sent with a form whose session had ended: it stays on the page until who sent it has signed in, and goes out
//! again with a click. The console itself keeps nothing of it.

use std::collections::HashMap;

use maud::{Markup, html};

use super::layout::seal;
use super::take::SEAL;
use crate::session::Session;

/// What the page is called that asks whether to send it again.
pub(super) const TITLE: &str = "Send it again?";
/// The field that says that there is something kept.
const MARK: &str = "kept";
/// What stands before the names of its fields.
const PREFIX: &str = "kept.";

/// The fields of a form, as hidden ones of the form to sign in.
pub(super) fn fields(form: &HashMap<String, String>) -> Markup {
    html! {
        input type="hidden" name=(MARK) value="yes";
        (hidden(PREFIX, form))
    }
}

/// What a form to sign in has kept; none when it has nothing.
pub(super) fn of(form: &HashMap<String, String>) -> Option<HashMap<String, String>> {
    form.contains_key(MARK).then(|| {
        let kept = form
            .iter()
            .filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?, value)));
        kept.map(|(name, value)| (name.to_owned(), value.clone()))
            .collect()
    })
}

/// A form that sends it again, as one of this session.
pub(super) fn again(session: &Session, action: &str, form: &HashMap<String, String>) -> Markup {
    html! {
        p { "You have signed in since this form was filled in. Nothing of it is done yet." }
        form method="post" action=(action) {
            (seal(session))
            (hidden("", form))
            p.small { "It goes to " code { (action) } "." }
            button { "Send it again" }
        }
    }
}

/// All but the seal, which is another session's, in an order of their own.
fn hidden(prefix: &str, form: &HashMap<String, String>) -> Markup {
    let mut fields: Vec<_> = form.iter().filter(|(name, _)| *name != SEAL).collect();
    fields.sort_unstable();
    html! {
        @for (name, value) in fields { input type="hidden" name={ (prefix) (name) } value=(value); }
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
    fn what_is_kept_has_no_part_in_signing_in() {
        let sent = form(&[("seal", "old"), ("token", "<x>"), ("text", "a\nb")]);
        let page = fields(&sent).into_string();
        assert_eq!(
            page,
            "<input type=\"hidden\" name=\"kept\" value=\"yes\">\
             <input type=\"hidden\" name=\"kept.text\" value=\"a\nb\">\
             <input type=\"hidden\" name=\"kept.token\" value=\"&lt;x&gt;\">"
        );
        let signing_in = form(&[
            ("token", "mine"),
            ("kept", "yes"),
            ("kept.token", "<x>"),
            ("kept.text", "a\nb"),
        ]);
        assert_eq!(of(&signing_in), Some(form(&[("token", "<x>"), ("text", "a\nb")])));
    }

    #[test]
    fn a_form_of_no_fields_may_be_kept() {
        assert_eq!(of(&form(&[("kept", "yes")])), Some(HashMap::new()));
        assert_eq!(of(&form(&[("token", "mine")])), None);
    }
}
