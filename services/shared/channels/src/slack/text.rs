//! Slack's way to write a text: tokens in angle brackets, and three characters as entities (`channels.md`, section
//! 3.2.5).

/// Whether a text holds the user's name as a mention.
pub(super) fn names(text: &str, user: &str) -> bool {
    let mention = format!("<@{user}");
    text.match_indices(&mention)
        .any(|(at, _)| text[at + mention.len()..].starts_with(['>', '|']))
}

/// A text without the mention of the user that it begins with, if it does.
pub(super) fn without_call<'a>(text: &'a str, user: &str) -> &'a str {
    let text = text.trim();
    let called = text.strip_prefix("<@").and_then(|rest| rest.strip_prefix(user));
    match called.and_then(|rest| rest.split_once('>')) {
        Some((label, rest)) if label.is_empty() || label.starts_with('|') => rest.trim_start(),
        Some(_) | None => text,
    }
}

/// A text as people read it. Slack writes every bracket of its users as an entity, so one that is bare begins a
/// token.
pub(super) fn decode(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('<') {
        decoded.push_str(&unescape(before));
        match behind.split_once('>') {
            Some((inner, behind)) => {
                decoded.push_str(&unescape(&token(inner)));
                rest = behind;
            }
            None => {
                decoded.push('<');
                rest = behind;
            }
        }
    }
    decoded.push_str(&unescape(rest));
    decoded
}

/// `&amp;` comes last, or what it escapes would be read as an entity.
fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&")
}

fn token(inner: &str) -> String {
    let (target, label) = inner.split_once('|').unwrap_or((inner, ""));
    let named = |mark: char, id: &str| format!("{mark}{}", if label.is_empty() { id } else { label });
    match target.split_at_checked(1) {
        Some(("@", user)) => named('@', user),
        Some(("#", channel)) => named('#', channel),
        Some(("!", command)) => special(command, label),
        Some(_) | None if target.contains(':') => link(target, label),
        // Of a command's text, which may hold brackets of its own.
        Some(_) | None => format!("<{inner}>"),
    }
}

/// `<!here>`, `<!subteam^S1|@group>`, `<!date^ts^format|fallback>` and their like.
fn special(command: &str, label: &str) -> String {
    if !label.is_empty() {
        return label.to_owned();
    }
    let name = command.strip_prefix("subteam^").unwrap_or(command);
    format!("@{name}")
}

/// An address, with its label where that says more.
fn link(url: &str, label: &str) -> String {
    let address = url.strip_prefix("mailto:").unwrap_or(url);
    if label.is_empty() || address.trim_end_matches('/').ends_with(label) {
        address.to_owned()
    } else {
        format!("{label} ({address})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tokens_and_entities_become_what_people_read() {
        for (written, read) in [
            ("plain 😀 :tada:", "plain 😀 :tada:"),
            ("1 &lt; 2 &amp;&amp; 3 &gt; 2", "1 < 2 && 3 > 2"),
            ("&amp;lt;b&amp;gt;", "&lt;b&gt;"),
            ("<@U1> and <@W2|ada>", "@U1 and @ada"),
            ("<#C1|general> <#C2> <#C3|>", "#general #C2 #C3"),
            ("<!here> <!channel> <!everyone>", "@here @channel @everyone"),
            ("<!subteam^S1|@ops> <!subteam^S2>", "@ops @S2"),
            ("<!date^1392734382^{date}^https://example.com/|Feb 18>", "Feb 18"),
            ("<https://example.com>", "https://example.com"),
            ("<https://example.com/|example.com>", "https://example.com/"),
            (
                "<https://example.com/a?b=1&amp;c=2|the &lt;site&gt;>",
                "the <site> (https://example.com/a?b=1&c=2)",
            ),
            ("<mailto:ada@example.com|ada@example.com>", "ada@example.com"),
            ("a <b> c", "a <b> c"),
            ("a < b", "a < b"),
            ("<>", "<>"),
        ] {
            assert_eq!(decode(written), read, "{written}");
        }
    }

    #[test]
    fn a_name_counts_only_as_a_whole() {
        assert!(names("hi <@U1>", "U1") && names("<@U12> <@U1|bot>!", "U1"));
        assert!(!names("hi <@U12>", "U1") && !names("U1 @U1 <U1>", "U1"));
    }

    #[test]
    fn only_a_call_at_the_beginning_is_left_out() {
        for (text, rest) in [
            (" <@U1> is it?", "is it?"),
            ("<@U1|bot>", ""),
            ("<@U12> hi", "<@U12> hi"),
            ("hi <@U1>", "hi <@U1>"),
            ("<@U1", "<@U1"),
        ] {
            assert_eq!(without_call(text, "U1"), rest, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_can_be_decoded(text in r"([<>@#!|&;:]|amp|lt|\PC){0,40}") {
            decode(&text);
            names(&text, "U1");
            without_call(&text, "U1");
        }

        #[test]
        fn what_was_escaped_comes_back(text in r"[a-z<>&;|@ ]{0,40}") {
            let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            prop_assert_eq!(decode(&escaped), text);
        }
    }
}
