//! How a text is formatted, checked as Telegram checks it: the words of the refusals are the server's.

use serde_json::Value;

use super::api::ApiError;

/// The types that stand for a format. Those that Telegram finds by itself are not for bots.
const TYPES: [&str; 10] = [
    "bold",
    "italic",
    "underline",
    "strikethrough",
    "spoiler",
    "blockquote",
    "expandable_blockquote",
    "code",
    "pre",
    "text_link",
];

/// The entities of a text, when they are sound.
pub(super) fn checked(text: &str, entities: Option<Value>) -> Result<Vec<Value>, ApiError> {
    let entities = match entities {
        None => return Ok(Vec::new()),
        Some(Value::Array(entities)) => entities,
        Some(_) => return Err(refused("can't parse entities: expected an Array")),
    };
    for entity in &entities {
        check(text, entity)?;
    }
    Ok(entities)
}

fn check(text: &str, entity: &Value) -> Result<(), ApiError> {
    let kind = entity["type"].as_str().unwrap_or_default();
    if !TYPES.contains(&kind) {
        return Err(refused("can't parse entities: unsupported type specified"));
    }
    if kind == "text_link" && !entity["url"].is_string() {
        return Err(refused("can't parse entities: can't find field \"url\""));
    }
    let number = |name: &str| entity[name].as_i64();
    let (Some(offset), Some(length)) = (number("offset"), number("length")) else {
        return Err(refused("can't parse entities: offset and length must be numbers"));
    };
    let Ok(start) = usize::try_from(offset) else {
        return Err(refused(&format!(
            "receive an entity with incorrect offset {offset}"
        )));
    };
    let Some(end) = usize::try_from(length)
        .ok()
        .filter(|length| *length > 0)
        .and_then(|length| start.checked_add(length))
    else {
        return Err(refused(&format!(
            "receive an entity with incorrect length {length}"
        )));
    };
    let total = text.encode_utf16().count();
    if start > total {
        let after = "begins after the end of the text";
        return Err(refused(&format!("entity {after} at UTF-16 offset {start}")));
    }
    if end > total {
        let after = "ends after the end of the text";
        return Err(refused(&format!(
            "entity beginning at UTF-16 offset {start} {after} at UTF-16 offset {end}"
        )));
    }
    if !begins_symbol(text, start) {
        return Err(refused("entity begins in a middle of a UTF-16 symbol"));
    }
    if !begins_symbol(text, end) {
        return Err(refused(&format!(
            "entity beginning at UTF-16 offset {start} ends in a middle of a UTF-16 symbol"
        )));
    }
    Ok(())
}

/// Whether a symbol of the text begins, or the text ends, at this offset in UTF-16.
fn begins_symbol(text: &str, offset: usize) -> bool {
    let units: Vec<u16> = text.encode_utf16().take(offset).collect();
    String::from_utf16(&units).is_ok()
}

fn refused(why: &str) -> ApiError {
    ApiError::new(400, format!("Bad Request: {why}"))
}
