//! A reply in parts that Slack takes: texts first, then files.

use crate::outgoing::{OutgoingFile, OutgoingReply, Part, PartContent, UploadForm, in_order, with_lines};
use crate::split::split;

/// The longest text; Slack cuts a longer one itself, where it likes (`channels.md`, section 3.5.2). It says
/// "characters"; counted in UTF-16 and escaped it is never too many.
const MAX_TEXT_UNITS: usize = 4000;
/// The largest file that is sent as one. Slack takes more, and each of them is held in memory while it is sent.
const MAX_FILE_BYTES: u64 = 50_000_000;

pub(crate) fn render(reply: &OutgoingReply<'_>) -> Vec<Part> {
    let mut uploads = Vec::new();
    let mut lines = Vec::new();
    for file in reply.files {
        match upload(file) {
            Some(upload) => uploads.push(upload),
            None => lines.push(file.as_line()),
        }
    }
    let texts = mrkdwn(&with_lines(reply.text, &lines)).into_iter();
    let texts = texts.map(|text| PartContent::Message {
        text,
        links: Vec::new(),
    });
    in_order(texts.chain(uploads))
}

/// A text in Slack's dialect, in pieces that Slack takes. Escaped, `<!channel>` calls nobody.
fn mrkdwn(text: &str) -> Vec<String> {
    let pieces = split(text, MAX_TEXT_UNITS, |character| match escape(character) {
        Some(entity) => entity.len(),
        None => character.len_utf16(),
    });
    let escaped = |piece: &str| {
        piece
            .chars()
            .fold(String::with_capacity(piece.len()), |mut text, character| {
                match escape(character) {
                    Some(entity) => text.push_str(entity),
                    None => text.push(character),
                }
                text
            })
    };
    pieces.into_iter().map(escaped).collect()
}

/// The three characters that begin something in Slack's texts (`channels.md`, section 3.5.2).
fn escape(character: char) -> Option<&'static str> {
    match character {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        _ => None,
    }
}

/// None when Slack would refuse the file: too large, empty, or not there.
fn upload(file: &OutgoingFile) -> Option<PartContent> {
    let stored = file
        .stored
        .as_ref()
        .filter(|stored| (1..=MAX_FILE_BYTES).contains(&stored.bytes))?;
    Some(PartContent::Upload {
        file: stored.clone(),
        // Slack shows a picture as one by itself.
        form: UploadForm::Document,
    })
}

#[cfg(test)]
mod tests {
    use proto_schemas::content::StoredFile;

    use super::*;

    fn file(bytes: u64) -> OutgoingFile {
        OutgoingFile {
            name: "a.png".to_owned(),
            mime_type: Some("image/png".to_owned()),
            url: Some("https://files.test/a?b=1&c=2".to_owned()),
            stored: Some(StoredFile {
                key: "k".to_owned(),
                name: "a.png".to_owned(),
                mime_type: "image/png".to_owned(),
                bytes,
            }),
        }
    }

    fn outline(text: &str, files: &[OutgoingFile]) -> Vec<String> {
        let part = |part: Part| match part.content {
            PartContent::Message { text, .. } => text,
            PartContent::Upload { file, .. } => format!("upload {}", file.bytes),
        };
        let parts = render(&OutgoingReply { text, files });
        parts.into_iter().map(part).collect()
    }

    #[test]
    fn a_text_of_exactly_the_limit_is_one_message() {
        assert_eq!(outline(&"x".repeat(MAX_TEXT_UNITS), &[]).len(), 1);
        assert_eq!(outline(&"x".repeat(MAX_TEXT_UNITS + 1), &[]).len(), 2);
        assert_eq!(outline(&"😀".repeat(MAX_TEXT_UNITS / 2), &[]).len(), 1);
        assert_eq!(outline(&"😀".repeat(MAX_TEXT_UNITS / 2 + 1), &[]).len(), 2);
    }

    #[test]
    fn a_text_is_escaped_and_measured_as_such() {
        assert_eq!(
            outline("<!channel> 1 < 2 && *bold*", &[]),
            ["&lt;!channel&gt; 1 &lt; 2 &amp;&amp; *bold*"]
        );
        let pieces = outline(&"&".repeat(MAX_TEXT_UNITS / 5 + 1), &[]);
        assert_eq!(
            pieces,
            ["&amp;".repeat(MAX_TEXT_UNITS / 5), "&amp;".to_owned()],
            "no entity is torn"
        );
    }

    #[test]
    fn files_follow_the_text_and_those_that_cannot_be_sent_are_links_in_it() {
        let mut gone = file(1);
        (gone.stored, gone.url) = (None, None);
        let files = [file(MAX_FILE_BYTES), file(MAX_FILE_BYTES + 1), file(0), gone];
        let link = "File: a.png https://files.test/a?b=1&amp;c=2";
        let text = format!("Here.\n\n{link}\n{link}\nFile: a.png (not available)");
        assert_eq!(
            outline("Here.", &files),
            [text, format!("upload {MAX_FILE_BYTES}")]
        );
    }

    #[test]
    fn a_reply_with_nothing_to_say_has_no_parts() {
        assert_eq!(outline(" \n", &[]), [""; 0]);
    }
}
