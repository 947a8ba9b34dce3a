use proptest::prelude::*;

use super::*;
use crate::samples::*;

fn context_after(turn: &Turn, result: TurnResult) -> Context {
    next_context(turn, conclusion(turn, result))
}

fn asking() -> Turn {
    turn(vec![question(2, "q2"), answer("r2")], vec![question(3, "q3")])
}

fn texts(context: &Context) -> Vec<&str> {
    context
        .utterances
        .iter()
        .map(|utterance| utterance.text.as_str())
        .collect()
}

fn files(names: &[Option<&str>]) -> TurnResult {
    let attachment = |name: &Option<&str>| Attachment {
        url: "https://files.example/a?token=secret".to_owned(),
        filename: name.map(str::to_owned),
        mime_type: None,
    };
    TurnResult::Reply {
        content: String::new(),
        attachments: names.iter().map(attachment).collect(),
        buttons: Vec::new(),
        metadata: None,
    }
}

#[test]
fn a_reply_joins_question_and_history() {
    let context = context_after(&asking(), reply("r3"));
    assert_eq!(texts(&context), ["q2", "r2", "q3", "r3"]);
    assert_eq!(context.utterances[3], answer("r3"));
    assert_eq!(context.answered, [message(1), message(2), message(3)]);
    assert_eq!(context.answered_through, 3);
    assert_eq!(context.last, conclusion(&asking(), reply("r3")));
    assert_eq!(context.conversation, conversation());
}

#[test]
fn a_failed_question_stays_without_an_answer() {
    assert_eq!(texts(&context_after(&asking(), failure())), ["q2", "r2", "q3"]);
}

#[test]
fn silence_is_not_remembered_as_words() {
    assert_eq!(
        texts(&context_after(&asking(), TurnResult::NoReply)),
        ["q2", "r2", "q3"]
    );
    assert_eq!(texts(&context_after(&asking(), reply(""))), ["q2", "r2", "q3"]);
}

#[test]
fn a_reply_of_files_only_is_remembered_by_their_names() {
    let context = context_after(&asking(), files(&[Some("a.pdf"), None]));
    assert_eq!(context.utterances[3].text, "[file: a.pdf]\n[file: unnamed]");
}

#[test]
fn a_reset_leaves_nothing_but_the_answered_messages() {
    let context = context_after(
        &reset_turn(),
        TurnResult::Reset {
            message: "Done.".to_owned(),
        },
    );
    assert_eq!(context.utterances, []);
    assert_eq!(context.answered, [message(1), message(2), message(3)]);
}

#[test]
fn only_the_last_answered_messages_are_remembered() {
    let mut turn = asking();
    turn.answered_before = (0..REMEMBERED_MESSAGES).map(message).collect();
    turn.answers = vec![message(100), message(101)];
    let context = context_after(&turn, reply("r"));
    assert_eq!(context.answered.len(), REMEMBERED_MESSAGES);
    assert_eq!(context.answered.first(), Some(&message(2)));
    assert_eq!(context.answered.last(), Some(&message(101)));
}

#[test]
fn the_oldest_go_when_the_record_grows_too_large() {
    let history = vec![
        question(1, "q1"),
        answer(&"x".repeat(MAX_CONTEXT_BYTES / 2)),
        answer("r2"),
    ];
    let turn = turn(history, vec![question(3, "q3")]);
    let half = "y".repeat(MAX_CONTEXT_BYTES / 2);
    assert_eq!(texts(&context_after(&turn, reply(&half))), ["r2", "q3", &half]);
    assert_eq!(texts(&context_after(&turn, reply("r3"))).len(), 5);
}

#[test]
fn a_question_and_a_reply_that_are_too_large_are_cut_between_characters() {
    let turn = turn(vec![answer("r2")], vec![question(3, "q3")]);
    let context = context_after(&turn, reply(&"€".repeat(MAX_CONTEXT_BYTES / 3 + 1)));
    let [asked, said] = &context.utterances[..] else {
        panic!("{}", context.utterances.len())
    };
    assert_eq!(asked.text, "q3");
    assert!(said.text.len() > MAX_CONTEXT_BYTES / 2 - 300 && said.text.chars().all(|c| c == '€'));
}

#[test]
fn a_delivery_carries_the_turn_and_its_end() {
    let turn = asking();
    let conclusion = conclusion(&turn, reply("r3"));
    let delivery = delivery(&turn, &conclusion);
    assert_eq!(delivery.question, [question(3, "q3")]);
    assert_eq!((delivery.conclusion, delivery.replay), (conclusion, 0));
    assert_eq!((delivery.answers, delivery.answered_through), (turn.answers, 3));
    assert_eq!((delivery.address, delivery.user), (turn.address, turn.user));
    assert_eq!(
        (delivery.accepted_at, delivery.built_at),
        (turn.accepted_at, turn.built_at)
    );
}

#[test]
fn a_reset_is_delivered_without_a_question() {
    let turn = reset_turn();
    let conclusion = conclusion(
        &turn,
        TurnResult::Reset {
            message: "Done.".to_owned(),
        },
    );
    assert_eq!(delivery(&turn, &conclusion).question, []);
}

#[test]
fn a_message_is_looked_after_when_cursor_or_memory_shows_it() {
    let context = context_after(&asking(), reply("r3"));
    assert!(!looked_after(&message(3), 3, None));
    assert!(looked_after(&message(9), 3, Some(&context)));
    assert!(!looked_after(&message(9), 4, Some(&context)));
    assert!(looked_after(&message(3), 4, Some(&context)));
}

#[test]
fn a_duplicate_vouches_only_for_the_message_it_is_named_after() {
    let mut group = asking();
    group.answers = vec![message(3), message(4)];
    let vouched = |answer| [3, 4, 5].map(|n| vouches_for(&group, answer, &message(n)));
    assert_eq!(vouched(SlotAnswer::Accepted), [true, true, false]);
    assert_eq!(vouched(SlotAnswer::Duplicate), [true, false, false]);
    assert_eq!(vouched(SlotAnswer::Taken), [false, false, false]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn a_record_never_grows_beyond_its_limit(
        history in proptest::collection::vec(("[a\"\\n\\x01€]", 0..150_000_usize), 0..5),
        asked in ("[a\"\\n\\x01€]", 0..600_000_usize),
        said in ("[a\"\\n\\x01€]", 0..600_000_usize),
    ) {
        let text = |(unit, count): &(String, usize)| unit.repeat(*count);
        let history = history.iter().map(|one| answer(&text(one))).collect();
        let turn = turn(history, vec![question(3, &text(&asked))]);
        let context = context_after(&turn, reply(&text(&said)));
        let written = serde_json::to_string(&context.utterances).unwrap().len();
        prop_assert!(written <= MAX_CONTEXT_BYTES);
        prop_assert!(context.utterances.iter().any(|one| one.message_id == Some(message(3))));
    }
}
