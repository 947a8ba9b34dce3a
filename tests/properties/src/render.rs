//! Replies as the channels show them.

use channels::{Account, Entity, MAX_CALLBACK_TEXT_BYTES, OutgoingFile, OutgoingReply, Part, PartContent};
use proto_schemas::content::Button;

use crate::accounts::{DISCORD, HTTP, SLACK, TELEGRAM};

/// What Telegram takes, in UTF-16 code units, and how many entities.
const TELEGRAM_UNITS: usize = 4096;
const TELEGRAM_ENTITIES: usize = 100;
/// What Slack takes of a text, and of one with buttons under it, in characters.
const SLACK_CHARS: usize = 4000;
const SLACK_BLOCK_CHARS: usize = 3000;
/// What Discord takes, in UTF-16 code units.
const DISCORD_UNITS: usize = 2000;
/// What calls everybody, in any case.
const MENTIONS: [&str; 7] = [
    "@everyone",
    "@here",
    "@channel",
    "<!everyone",
    "<!here",
    "<!channel",
    "<@&",
];

/// `text` as a reply: alone, with a file that cannot be sent and a button, and without its punctuation.
pub fn render(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    parts_are_sound(&reply(&text));
    let file = OutgoingFile {
        name: "a_b.pdf".to_owned(),
        mime_type: None,
        url: Some("https://files.test/a_b?c=1&d=(2)".to_owned()),
        stored: None,
    };
    let button = Button {
        label: "<Yes> & *no*".to_owned(),
        value: None,
        url: None,
    };
    parts_are_sound(&OutgoingReply {
        text: &text,
        files: &[file],
        buttons: &[button],
    });
    nothing_is_lost(&text.replace(|c: char| c.is_ascii_punctuation(), " "));
}

fn reply(text: &str) -> OutgoingReply<'_> {
    OutgoingReply {
        text,
        files: &[],
        buttons: &[],
    }
}

fn accounts() -> [&'static Account; 4] {
    [&TELEGRAM, &SLACK, &DISCORD, &HTTP]
}

fn parts_are_sound(reply: &OutgoingReply<'_>) {
    for account in accounts() {
        let parts = account.render(reply);
        assert_eq!(
            parts,
            account.render(reply),
            "{account:?}: the same reply has the same parts"
        );
        for (index, part) in parts.iter().enumerate() {
            assert_eq!(part.quotes, index == 0);
            let has_buttons = index + 1 == parts.len() && !reply.buttons.is_empty();
            assert_eq!(!part.buttons.is_empty(), has_buttons);
            part_is_sound(account, part);
        }
    }
}

fn part_is_sound(account: &Account, part: &Part) {
    let PartContent::Message {
        text,
        entities,
        links,
    } = &part.content
    else {
        panic!("no bytes of a file were there to be sent")
    };
    assert!(
        !text.trim().is_empty() || !links.is_empty(),
        "{account:?} would send nothing"
    );
    let units = text.encode_utf16().count();
    match account {
        Account::Telegram(_) => {
            assert!(units <= TELEGRAM_UNITS && entities.len() <= TELEGRAM_ENTITIES);
            entities_are_in_range(text, entities);
        }
        Account::Slack(_) => {
            let limit = if part.buttons.is_empty() {
                SLACK_CHARS
            } else {
                SLACK_BLOCK_CHARS
            };
            assert!(text.chars().count() <= limit);
            calls_nobody(text);
        }
        Account::Discord(_) => {
            assert!(units <= DISCORD_UNITS);
            calls_nobody(text);
        }
        Account::Http(_) => assert!(text.len() <= MAX_CALLBACK_TEXT_BYTES),
    }
}

fn entities_are_in_range(text: &str, entities: &[Entity]) {
    let units: Vec<u16> = text.encode_utf16().collect();
    for entity in entities {
        let covered = units.get(entity.offset..entity.offset + entity.length);
        // Half of a surrogate pair is no text.
        let covered = covered.and_then(|units| String::from_utf16(units).ok());
        assert!(covered.is_some_and(|text| !text.is_empty()), "{entity:?}");
    }
}

fn calls_nobody(text: &str) {
    let text = text.to_lowercase();
    for mention in MENTIONS {
        assert!(!text.contains(mention), "{text}");
    }
}

/// A text without signs arrives word for word.
fn nothing_is_lost(plain: &str) {
    for account in accounts() {
        let parts = account.render(&reply(plain));
        let sent: String = parts.iter().map(|part| letters(text_of(part))).collect();
        assert_eq!(sent, letters(plain), "{account:?}");
    }
}

fn text_of(part: &Part) -> &str {
    match &part.content {
        PartContent::Message { text, .. } => text,
        PartContent::Upload { .. } => "",
    }
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}
