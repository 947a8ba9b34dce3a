//! The properties of the fuzz targets, with inputs drawn from the targets' seeds.
#![expect(
    clippy::unwrap_used,
    reason = "allow-unwrap-in-tests does not cover helpers of integration tests"
)]

mod inputs;

use std::collections::BTreeSet;
use std::fs;

use proptest::prelude::*;

use inputs::{fuzz_folder, inputs, seeds};

/// Panics where it does not hold for an input.
type Property = fn(&[u8]);

/// Each fuzz target with its property.
const TARGETS: [(&str, Property); 13] = [
    ("telegram_push", properties::telegram_push),
    ("slack_push", properties::slack_push),
    ("discord_push", properties::discord_push),
    ("discord_message", properties::discord_message),
    ("http_push", properties::http_push),
    ("render", properties::render),
    ("file_name", properties::file_name),
    ("file_type", properties::file_type),
    ("webhook_reply", properties::webhook_reply),
    ("wire_types", properties::wire_types),
    ("range", properties::range),
    ("retry_after", properties::retry_after),
    ("signed_link", properties::signed_link),
];

#[test]
fn every_fuzz_target_has_its_property_here() {
    let files = fs::read_dir(fuzz_folder().join("fuzz_targets")).unwrap();
    let files: BTreeSet<String> = files
        .map(|file| {
            file.unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    assert_eq!(
        files,
        TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect()
    );
}

#[test]
fn every_seed_holds() {
    for (target, holds) in TARGETS {
        seeds(target).iter().for_each(|seed| holds(seed));
    }
}

#[test]
fn a_range_of_very_many_digits_may_be_passed_over() {
    properties::range(format!("0\nbytes={}-444444444", "0".repeat(80)).as_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(192) })]

    #[test]
    fn an_update_is_read_when_authentic_and_soundly(body in inputs("telegram_push")) {
        properties::telegram_push(&body);
    }

    #[test]
    fn a_push_of_slack_is_read_when_authentic_and_soundly(body in inputs("slack_push")) {
        properties::slack_push(&body);
    }

    #[test]
    fn an_interaction_is_read_when_authentic_and_soundly(body in inputs("discord_push")) {
        properties::discord_push(&body);
    }

    #[test]
    fn a_message_of_the_gateway_is_read_soundly(frame in inputs("discord_message")) {
        properties::discord_message(&frame);
    }

    #[test]
    fn a_posted_message_is_read_when_authentic_and_within_the_limits(body in inputs("http_push")) {
        properties::http_push(&body);
    }

    #[test]
    fn every_channel_takes_every_reply(text in inputs("render")) {
        properties::render(&text);
    }

    #[test]
    fn every_file_name_is_made_harmless(name in inputs("file_name")) {
        properties::file_name(&name);
    }

    #[test]
    fn every_file_has_a_type_that_may_stand_in_a_header(file in inputs("file_type")) {
        properties::file_type(&file);
    }

    #[test]
    fn a_webhooks_answer_is_a_reply_within_the_limits_or_an_error(body in inputs("webhook_reply")) {
        properties::webhook_reply(&body);
    }

    #[test]
    fn what_is_decoded_survives_encoding(payload in inputs("wire_types")) {
        properties::wire_types(&payload);
    }

    #[test]
    fn a_range_lies_within_its_file(header in inputs("range")) {
        properties::range(&header);
    }

    #[test]
    fn a_wait_is_understood_and_bounded(header in inputs("retry_after")) {
        properties::retry_after(&header);
    }

    #[test]
    fn a_link_opens_its_file_and_no_forged_one_does(link in inputs("signed_link")) {
        properties::signed_link(&link);
    }
}
