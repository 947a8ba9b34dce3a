//! Accounts whose secrets lie in files of the test.

use channels::{Account, OpenError};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::discord::{APPLICATION, PUBLIC_KEY};

pub(crate) const OLD_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub(crate) const NEW_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
pub(crate) const CALLBACK_SECRET: &str = "whsec_Y2FsbGJhY2stc2VjcmV0LW9mLTI0LWJ5dGVz";
pub(crate) const TOKEN: &str = "123456:ABC-DEF1234ghIkl";
pub(crate) const WEBHOOK_SECRET: &str = "Hook_Secret-1";
pub(crate) const SLACK_TOKEN: &str = "xoxb-123-hunter2";
pub(crate) const SIGNING_SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
pub(crate) const DISCORD_TOKEN: &str = "MTQ1.bot-hunter2";

/// Opens an account of `channel`, in which every text `secret:VALUE` becomes a reference to a file.
fn open(channel: Value) -> Result<Account, OpenError> {
    open_connection(json!({"id": "c", "bot": "b", "channel": channel}))
}

fn open_connection(mut connection: Value) -> Result<Account, OpenError> {
    let folder = TempDir::new().unwrap();
    store_secrets(&mut connection["channel"], &folder, &mut 0);
    Account::open(&serde_json::from_value(connection).unwrap())
}

fn store_secrets(value: &mut Value, folder: &TempDir, count: &mut u32) {
    if let Some(secret) = value.as_str().and_then(|text| text.strip_prefix("secret:")) {
        *count += 1;
        let path = folder.path().join(count.to_string());
        std::fs::write(&path, secret).unwrap();
        *value = json!(format!("file:{}", path.display()));
    } else if let Some(fields) = value.as_object_mut() {
        fields
            .values_mut()
            .for_each(|inner| store_secrets(inner, folder, count));
    } else if let Some(items) = value.as_array_mut() {
        items
            .iter_mut()
            .for_each(|inner| store_secrets(inner, folder, count));
    }
}

pub(crate) fn http(callback_url: &str) -> Account {
    let secrets = [format!("secret:{NEW_SECRET}"), format!("secret:{OLD_SECRET}")];
    let secret = format!("secret:{CALLBACK_SECRET}");
    open(json!({"http": {"secrets": secrets, "callback_url": callback_url, "callback_secret": secret}}))
        .unwrap()
}

/// One that asked for no callback.
pub(crate) fn http_without_callback() -> Account {
    open(json!({"http": {"secrets": [format!("secret:{NEW_SECRET}")]}})).unwrap()
}

pub(crate) fn telegram(api_base: &str, username: Option<&str>) -> Account {
    let secret = format!("secret:{WEBHOOK_SECRET}");
    let token = format!("secret:{TOKEN}");
    let mut spec = json!({"token": token, "webhook_secret": secret, "api_base": api_base});
    if let Some(username) = username {
        spec["username"] = json!(username);
    }
    open(json!({ "telegram": spec })).unwrap()
}

pub(crate) fn slack(api_base: &str) -> Account {
    open(slack_channel(api_base)).unwrap()
}

/// An account whose threads are not shown that the bot works on an answer.
pub(crate) fn slack_without_typing(api_base: &str) -> Account {
    let connection = json!({"id": "c", "bot": "b", "typing": false, "channel": slack_channel(api_base)});
    open_connection(connection).unwrap()
}

fn slack_channel(api_base: &str) -> Value {
    let (token, secret) = (
        format!("secret:{SLACK_TOKEN}"),
        format!("secret:{SIGNING_SECRET}"),
    );
    json!({"slack": {"token": token, "signing_secret": secret, "api_base": api_base}})
}

pub(crate) fn discord(api_base: &str) -> Account {
    let token = format!("secret:{DISCORD_TOKEN}");
    open(json!({"discord": {
        "token": token, "application_id": APPLICATION, "public_key": PUBLIC_KEY, "api_base": api_base,
    }}))
    .unwrap()
}

#[test]
fn a_public_key_that_is_none_is_an_error() {
    // It has the right length and is on no curve.
    let channel = json!({"discord": {
        "token": "secret:1", "application_id": APPLICATION, "public_key": format!("02{}", "0".repeat(62)),
    }});
    assert!(matches!(open(channel).unwrap_err(), OpenError::BadPublicKey));
}

#[test]
fn a_secret_that_is_no_signing_key_is_named_and_not_shown() {
    let secret = "secret:whsec_hunter2";
    let channel =
        json!({"http": {"secrets": [secret], "callback_url": "https://a.test", "callback_secret": secret}});
    let error = open(channel).unwrap_err();
    assert!(matches!(error, OpenError::Key { .. }), "{error}");
    let text = format!("{error} {error:?}");
    assert!(text.contains("file:") && !text.contains("hunter2"), "{text}");
}

#[test]
fn a_missing_secret_is_an_error() {
    let channel =
        json!({"telegram": {"token": "file:/nowhere/token", "webhook_secret": "file:/nowhere/secret"}});
    assert!(matches!(open(channel).unwrap_err(), OpenError::Secret(_)));
}

#[test]
fn an_api_base_without_paths_is_an_error() {
    let base = "mailto:a@b.test";
    for channel in [
        json!({"telegram": {"token": "secret:1", "webhook_secret": "secret:2", "api_base": base}}),
        json!({"slack": {"token": "secret:1", "signing_secret": "secret:2", "api_base": base}}),
        json!({"discord": {
            "token": "secret:1", "application_id": APPLICATION, "public_key": PUBLIC_KEY, "api_base": base,
        }}),
    ] {
        assert!(matches!(open(channel).unwrap_err(), OpenError::BadApiBase));
    }
}

#[test]
fn an_account_shows_nothing_but_its_kind() {
    let shown = format!(
        "{:?} {:?} {:?} {:?}",
        http("https://a.test/?key=hunter2"),
        telegram("https://a.test", None),
        slack("https://a.test/api"),
        discord("https://a.test/api/v10")
    );
    assert_eq!(
        shown,
        "Account(http) Account(telegram) Account(slack) Account(discord)"
    );
}
