use proto_schemas::content::{FileLocation, FileSource};
use proto_schemas::context::TurnResult;
use proto_schemas::inbox::Attached;

use super::*;
use crate::conclude::next_context;
use crate::samples::*;
use crate::split::{Arm, Split, SplitBy};

const NOW: UnixMillis = UnixMillis(1_000_000);

fn decided(entries: impl IntoIterator<Item = InboxEntry>, policy: &BotPolicy) -> Decision {
    decide(None, &inbox(entries), policy, NOW)
}

/// The context after message 1, asked as "q1", was answered at sequence 1.
fn answered_once() -> ContextAt {
    let turn = called(decided([text(1)], &policy()));
    let conclusion = conclusion(&turn, reply("r1"));
    ContextAt {
        revision: 7,
        record: next_context(&turn, conclusion),
    }
}

#[test]
fn an_empty_inbox_is_idle() {
    assert_eq!(decided([], &policy()), Decision::Idle);
    assert_eq!(
        decide(Some(&answered_once()), &[], &policy(), NOW),
        Decision::Idle
    );
}

#[test]
fn the_first_message_of_a_conversation_is_asked_without_history() {
    let turn = called(decided([text(1), text(2)], &policy()));
    assert_eq!(asked(&turn), (vec![], vec!["q1".to_owned()]));
    assert_eq!(turn.id.as_str(), "turn_chat_m1");
    assert_eq!((turn.answers, turn.answered_through), (vec![message(1)], 1));
    assert_eq!((turn.context_revision, turn.answered_before), (0, vec![]));
    assert_eq!((turn.accepted_at, turn.built_at), (UnixMillis(1_000), NOW));
}

#[test]
fn the_bots_words_and_webhook_travel_in_the_turn() {
    let turn = called(decided([text(1)], &policy()));
    assert_eq!(turn.bot_name, "Support Bot");
    let Task::Ask {
        integration,
        arm,
        system_prompt,
        error_message,
        ..
    } = turn.task
    else {
        panic!()
    };
    assert_eq!(
        (Webhook::One(integration), arm, system_prompt),
        (policy().webhook, None, policy().system_prompt)
    );
    assert_eq!(error_message, "Sorry.");
}

#[test]
fn the_next_message_is_asked_with_what_was_said() {
    let context = answered_once();
    let turn = called(decide(Some(&context), &inbox([text(1), text(2)]), &policy(), NOW));
    assert_eq!(
        asked(&turn),
        (vec!["q1".to_owned(), "r1".to_owned()], vec!["q2".to_owned()])
    );
    assert_eq!(
        (turn.context_revision, turn.answered_before),
        (7, vec![message(1)])
    );
    assert_eq!(turn.answered_through, 2);
}

#[test]
fn entries_at_or_below_the_cursor_are_ignored() {
    let mut context = answered_once();
    context.record.answered.clear();
    let pending = inbox([text(1)]);
    assert_eq!(decide(Some(&context), &pending, &policy(), NOW), Decision::Idle);
}

#[test]
fn a_message_that_comes_again_after_its_answer_is_skipped() {
    let context = answered_once();
    let pending = inbox([text(1), text(1), reset(1), text(2)]);
    let turn = called(decide(Some(&context), &pending, &policy(), NOW));
    assert_eq!((turn.answers, turn.answered_through), (vec![message(2)], 4));
    assert_eq!(
        decide(Some(&context), &pending[..3], &policy(), NOW),
        Decision::Idle
    );
}

#[test]
fn a_message_that_comes_again_while_it_waits_is_asked_once() {
    let turn = called(decided([text(1), text(1), text(2)], &coalesce()));
    assert_eq!(turn.answers, [message(1), message(2)]);
    assert_eq!(turn.answered_through, 3);
}

#[test]
fn sequences_give_the_order() {
    let mut pending = inbox([text(1), text(2), text(3)]);
    let ordered = decide(None, &pending, &coalesce(), NOW);
    pending.reverse();
    assert_eq!(decide(None, &pending, &coalesce(), NOW), ordered);
}

#[test]
fn files_on_the_platform_are_fetched_first() {
    let decision = decided([with_file(1), text(2)], &policy());
    let Decision::Fetch(Fetch::In {
        message_id,
        conversation: chat,
        files,
        ..
    }) = decision
    else {
        panic!("{decision:?}");
    };
    assert_eq!((message_id, chat), (message(1), conversation()));
    assert_eq!(
        files[0].location,
        FileLocation::Platform {
            file_id: "1".to_owned()
        }
    );
}

#[test]
fn the_first_outcome_of_a_fetch_counts() {
    let failed = InboxEntry::Attached(Attached {
        message_id: message(1),
        files: vec![IncomingFile::Unavailable {
            name: "1.png".into(),
            reason: "too large".into(),
        }],
        album: None,
    });
    let turn = called(decided([with_file(1), attached(1), failed], &policy()));
    let Task::Ask { question, .. } = turn.task else {
        panic!()
    };
    assert_eq!(question[0].files, [IncomingFile::Stored(stored(1))]);
}

#[test]
fn stored_files_need_no_fetch() {
    let location = FileLocation::Stored(stored(1));
    let file = FileSource {
        name: "1.png".into(),
        mime_type: None,
        bytes: None,
        location,
    };
    let entry = InboxEntry::Received(Received {
        files: vec![file],
        ..received(1, "")
    });
    let turn = called(decided([entry], &policy()));
    let Task::Ask { question, .. } = turn.task else {
        panic!()
    };
    assert_eq!(question[0].files, [IncomingFile::Stored(stored(1))]);
}

#[test]
fn coalesced_messages_are_asked_together_in_order() {
    let turn = called(decided(
        [text(1), with_file(2), attached(2), text(3)],
        &coalesce(),
    ));
    assert_eq!(asked(&turn).1, ["q1", "look", "q3"]);
    assert_eq!(turn.answers, [message(1), message(2), message(3)]);
    assert_eq!(turn.answered_through, 4);
    assert_eq!(turn.id.as_str(), "turn_chat_m1");
    assert_eq!(turn.address.message_id.as_deref(), Some("3"));
    assert_eq!(turn.accepted_at, UnixMillis(1_000));
}

#[test]
fn a_message_whose_files_are_missing_ends_the_group() {
    let turn = called(decided([text(1), with_file(2), text(3)], &coalesce()));
    assert_eq!((turn.answers, turn.answered_through), (vec![message(1)], 1));
}

#[test]
fn a_group_ends_at_the_number_of_messages_one_turn_lists() {
    let turn = called(decided((0..MAX_ANSWERS + 1).map(text), &coalesce()));
    assert_eq!(turn.answers.len(), MAX_ANSWERS);
    assert_eq!(turn.answered_through, MAX_ANSWERS as u64);
}

#[test]
fn a_group_ends_before_it_grows_too_large() {
    let sized = |n, bytes| InboxEntry::Received(received(n, &"x".repeat(bytes)));
    let half = MAX_QUESTION_BYTES / 2 - 256;
    let fits = called(decided([sized(1, half), sized(2, half)], &coalesce()));
    assert_eq!(fits.answers.len(), 2);
    let too_large = called(decided(
        [sized(1, half), sized(2, half + 1), text(3)],
        &coalesce(),
    ));
    assert_eq!(too_large.answers, [message(1)]);
    let alone = called(decided([sized(1, MAX_QUESTION_BYTES + 1), text(2)], &coalesce()));
    assert_eq!(alone.answers, [message(1)]);
}

#[test]
fn a_reset_ends_all_that_waits_before_it() {
    for policy in [policy(), coalesce()] {
        let turn = called(decided([text(1), with_file(2), reset(3), text(4)], &policy));
        assert_eq!(
            turn.task,
            Task::Reset {
                message: "Done.".to_owned()
            }
        );
        assert_eq!(turn.answers, [message(1), message(2), message(3)]);
        assert_eq!(turn.answered_through, 3);
        assert_eq!(turn.address.message_id.as_deref(), Some("3"));
    }
}

#[test]
fn the_last_of_several_resets_confirms_for_all() {
    let turn = called(decided([reset(1), text(2), reset(3)], &policy()));
    assert_eq!(
        (turn.answers, turn.answered_through),
        (vec![message(1), message(2), message(3)], 3)
    );
}

#[test]
fn a_repeated_reset_does_not_end_what_came_after_the_first() {
    let turn = called(decided([reset(1), text(2), reset(1)], &policy()));
    assert_eq!((turn.answers, turn.answered_through), (vec![message(1)], 1));
}

#[test]
fn a_reset_over_more_than_one_turn_lists_is_confirmed_once() {
    let pending = inbox((0..MAX_ANSWERS).map(text).chain([reset(MAX_ANSWERS)]));
    let silent = called(decide(None, &pending, &policy(), NOW));
    assert_eq!(
        silent.task,
        Task::Reset {
            message: String::new()
        }
    );
    assert_eq!(silent.answers.len(), MAX_ANSWERS);

    let ended = conclusion(
        &silent,
        TurnResult::Reset {
            message: String::new(),
        },
    );
    let context = ContextAt {
        revision: 1,
        record: next_context(&silent, ended),
    };
    let confirmed = called(decide(Some(&context), &pending, &policy(), NOW));
    assert_eq!(
        confirmed.task,
        Task::Reset {
            message: "Done.".to_owned()
        }
    );
    assert_eq!(confirmed.answers, [message(MAX_ANSWERS)]);

    let one_fewer = called(decide(None, &pending[1..], &policy(), NOW));
    assert_eq!(
        one_fewer.task,
        Task::Reset {
            message: "Done.".to_owned()
        }
    );
    assert_eq!(one_fewer.answers.len(), MAX_ANSWERS);
}

#[test]
fn a_question_asked_again_replaces_the_failed_one() {
    let turn = called(decided([text(1)], &policy()));
    let failed = conclusion(&turn, failure());
    let context = ContextAt {
        revision: 1,
        record: next_context(&turn, failed),
    };
    let again = Received {
        replay_of: Some(message(1)),
        ..received(2, "q1")
    };
    let pending = [Pending {
        sequence: 2,
        entry: InboxEntry::Received(again),
    }];
    let turn = called(decide(Some(&context), &pending, &policy(), NOW));
    assert_eq!(asked(&turn), (vec![], vec!["q1".to_owned()]));
}

#[test]
fn the_age_limit_counts_from_the_acceptance_of_the_due_message() {
    let context = answered_once();
    let policy = BotPolicy {
        max_age: Some(std::time::Duration::from_secs(1)),
        ..unlimited()
    };
    let turn_of = |n| called(decide(Some(&context), &inbox([text(1), text(n)]), &policy, NOW));
    assert_eq!(asked(&turn_of(2)).0, ["q1", "r1"]);
    assert_eq!(asked(&turn_of(10)).0, ["r1"]);
    assert_eq!(asked(&turn_of(11)).0, [""; 0]);
}

/// Webhook, arm and fallback of the first turn, whose bot is split so and falls back on `gpt`.
fn asked_of(arms: &[(&str, u32)]) -> (String, Option<IntegrationId>, Option<IntegrationId>) {
    let id = |name: &str| IntegrationId::new(name).unwrap();
    let arm = |(name, weight): &(&str, u32)| Arm {
        integration: id(name),
        weight: *weight,
    };
    let split = Split::new(SplitBy::Conversation, arms.iter().map(arm).collect());
    let policy = BotPolicy {
        webhook: Webhook::OneOf(split.unwrap()),
        fallback: Some(id("gpt")),
        ..policy()
    };
    match called(decided([text(1)], &policy)).task {
        Task::Ask {
            integration,
            arm,
            fallback,
            ..
        } => (integration.to_string(), arm, fallback),
        Task::Reset { .. } => panic!("a question is asked"),
    }
}

#[test]
fn the_arm_of_a_split_is_asked_and_named() {
    let (integration, arm, fallback) = asked_of(&[("claude", 1), ("gpt", 0)]);
    assert_eq!(
        (integration.as_str(), arm.unwrap().as_str()),
        ("claude", "claude")
    );
    assert_eq!(fallback.unwrap().as_str(), "gpt");
}

#[test]
fn an_arm_that_is_the_fallback_of_the_others_has_none_itself() {
    let (integration, arm, fallback) = asked_of(&[("claude", 0), ("gpt", 1)]);
    assert_eq!((integration.as_str(), arm.unwrap().as_str()), ("gpt", "gpt"));
    assert_eq!(fallback, None);
}

#[test]
fn an_album_is_one_question_once_it_is_whole() {
    let pictures = [of_album(1, "a"), of_album(2, "a"), attached(1), attached(2)];
    let turn = called(decided(pictures, &policy()));
    assert_eq!((turn.answers.len(), turn.answered_through), (2, 2));
    let Task::Ask { question, .. } = turn.task else {
        panic!("nothing is asked")
    };
    let [question] = question.as_slice() else {
        panic!("{question:?}")
    };
    assert_eq!(question.files.len(), 2);
    assert_eq!(question.message_id, Some(message(1)));
}

#[test]
fn an_album_waits_until_nothing_has_come_for_a_while() {
    let album = inbox([of_album(1, "a"), of_album(2, "a"), attached(1), attached(2)]);
    let at = |now| decide(None, &album, &policy(), UnixMillis(now));
    let whole = 2_000 + ALBUM_SETTLES_MILLIS;
    let until = UnixMillis(whole);
    assert_eq!(at(2_001), Decision::Wait { until });
    assert_eq!(at(whole - 1), Decision::Wait { until });
    assert_eq!(called(at(whole)).answers.len(), 2);
}

#[test]
fn an_album_is_whole_when_something_else_was_said() {
    let album = [
        of_album(1, "a"),
        of_album(2, "a"),
        text(3),
        attached(1),
        attached(2),
    ];
    let turn = called(decide(None, &inbox(album), &policy(), UnixMillis(3_000)));
    assert_eq!(turn.answers, [message(1), message(2)]);
}

#[test]
fn the_next_album_is_another_question() {
    let albums = [of_album(1, "a"), of_album(2, "b"), attached(1), attached(2)];
    let turn = called(decided(albums.clone(), &policy()));
    assert_eq!(turn.answers, [message(1)]);
    let coalesced = called(decided(albums, &coalesce()));
    assert_eq!(coalesced.answers, [message(1), message(2)]);
}

#[test]
fn an_album_that_is_not_whole_is_not_asked_along_with_what_was_said_before() {
    let pending = inbox([text(1), of_album(2, "a"), attached(2)]);
    let turn = called(decide(None, &pending, &coalesce(), UnixMillis(2_500)));
    assert_eq!(turn.answers, [message(1)]);
}

#[test]
fn the_pictures_of_an_album_are_fetched_before_it_is_whole() {
    let pending = inbox([of_album(1, "a"), of_album(2, "a"), attached(1)]);
    let decision = decide(None, &pending, &policy(), UnixMillis(2_001));
    let Decision::Fetch(Fetch::In { message_id, .. }) = decision else {
        panic!("{decision:?}")
    };
    assert_eq!(message_id, message(2));
}

#[test]
fn clocks_that_differ_make_no_album_wait_for_ever() {
    let album = inbox([of_album(2, "a"), attached(2)]);
    let turn = called(decide(None, &album, &policy(), UnixMillis(999)));
    assert_eq!(turn.answers, [message(2)]);
}
