//! What the documents say of the sources.

use crate::tree::Text;

/// Tests and functions that a document names, as `module::the_name`, and that no source has.
pub(crate) fn names_of_nothing(documents: &[Text], texts: &[Text]) -> Vec<String> {
    let exists = |name: &str| {
        let declared = format!("fn {name}(");
        let sources = texts.iter().filter(|text| text.path.ends_with(".rs"));
        sources.into_iter().any(|text| text.content.contains(&declared))
    };
    let mut missing = Vec::new();
    for document in documents {
        // What stands between backticks is every other part.
        let spans = document.content.split('`').skip(1).step_by(2);
        for span in spans {
            if let Some((_, name)) = span.rsplit_once("::")
                && is_long_name(name)
                && !exists(name)
            {
                missing.push(format!("{}: there is no {span}", document.path));
            }
        }
    }
    missing
}

/// Three words or more: the name of a test, or of a function.
fn is_long_name(name: &str) -> bool {
    name.matches('_').count() >= 2
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_that_is_named_and_not_there_is_found() {
        let text = |path: &str, content: &str| Text {
            path: path.to_owned(),
            content: content.to_owned(),
        };
        let source = text("a.rs", "fn it_is_there() {}");
        let document = text(
            "a.md",
            "See `a::it_is_there`, `a::it_is_gone`, `a::b` and `run --all`.",
        );
        assert_eq!(
            names_of_nothing(&[document], &[source]),
            ["a.md: there is no a::it_is_gone"]
        );
    }
}
