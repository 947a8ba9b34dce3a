//! What a bot's operator decides: how much of a conversation the webhook is told, what happens to messages
//! that wait, and in which words the user is told about an end.

use std::time::Duration;

use proto_schemas::content::Utterance;
use proto_schemas::ids::{IntegrationId, MessageId, UnixMillis};

use crate::split::Webhook;

/// A bot's configuration, as far as decisions need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotPolicy {
    /// The name that the webhook is told.
    pub name: String,
    /// Who answers.
    pub webhook: Webhook,
    /// The webhook that is asked when that one is given up, unless it is the same.
    pub fallback: Option<IntegrationId>,
    /// At most so many utterances before the question.
    pub max_messages: usize,
    /// At most so many bytes of text ([`Utterance::weight`]) before the question.
    pub max_bytes: usize,
    /// Nothing that was said longer than this before the question. Without a limit when none.
    pub max_age: Option<Duration>,
    /// Always sent first; counts against no limit.
    pub system_prompt: Option<String>,
    /// What happens to messages that arrive while one is being answered.
    pub overlap: Overlap,
    /// What the user is told, once, when a message cannot be answered.
    pub error_message: String,
    /// What the user is told after a reset; nothing when empty.
    pub reset_message: String,
}

/// What happens to messages that arrive while one is being answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// Each gets an answer of its own, in order.
    Queue,
    /// All that wait are answered together.
    Coalesce,
}

/// What the webhook is told of `said`, for a question accepted at `asked_at`: the newest utterances within
/// every limit, oldest first, without gaps and none in part. What `replaced` names is left out: it is being
/// asked again.
pub(crate) fn history(
    said: &[Utterance],
    replaced: &[&MessageId],
    policy: &BotPolicy,
    asked_at: UnixMillis,
) -> Vec<Utterance> {
    let is_replaced = |utterance: &&Utterance| {
        utterance
            .message_id
            .as_ref()
            .is_some_and(|message| replaced.contains(&message))
    };
    let mut bytes = 0;
    let mut newest_first: Vec<Utterance> = said
        .iter()
        .rev()
        .filter(|utterance| !is_replaced(utterance))
        .take(policy.max_messages)
        .take_while(|utterance| {
            policy
                .max_age
                .is_none_or(|limit| asked_at.since(utterance.at) <= limit)
        })
        .take_while(|utterance| {
            bytes += utterance.weight();
            bytes <= policy.max_bytes
        })
        .cloned()
        .collect();
    newest_first.reverse();
    newest_first
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::samples::{policy, question, unlimited};

    /// Five bytes each, said at 0 s, 1 s, 2 s, …
    fn said(count: usize) -> Vec<Utterance> {
        (0..count).map(|at| question(at, &format!("{at:05}"))).collect()
    }

    fn texts(policy: &BotPolicy, asked_at_second: u64) -> Vec<String> {
        let kept = history(&said(4), &[], policy, UnixMillis(asked_at_second * 1000));
        kept.into_iter().map(|utterance| utterance.text).collect()
    }

    #[test]
    fn the_oldest_beyond_the_number_of_messages_are_left_out() {
        assert_eq!(
            texts(
                &BotPolicy {
                    max_messages: 2,
                    ..unlimited()
                },
                4
            ),
            ["00002", "00003"]
        );
        assert_eq!(
            texts(
                &BotPolicy {
                    max_messages: 0,
                    ..unlimited()
                },
                4
            ),
            [""; 0]
        );
    }

    #[test]
    fn the_oldest_beyond_the_number_of_bytes_are_left_out_whole() {
        assert_eq!(
            texts(
                &BotPolicy {
                    max_bytes: 15,
                    ..unlimited()
                },
                4
            ),
            ["00001", "00002", "00003"]
        );
        assert_eq!(
            texts(
                &BotPolicy {
                    max_bytes: 14,
                    ..unlimited()
                },
                4
            ),
            ["00002", "00003"]
        );
    }

    #[test]
    fn what_is_too_old_for_the_question_is_left_out() {
        let policy = BotPolicy {
            max_age: Some(Duration::from_secs(2)),
            ..unlimited()
        };
        assert_eq!(texts(&policy, 4), ["00002", "00003"]);
        assert_eq!(texts(&policy, 5), ["00003"]);
        assert_eq!(texts(&policy, 6), [""; 0]);
    }

    #[test]
    fn an_utterance_from_after_the_question_is_not_too_old() {
        let policy = BotPolicy {
            max_age: Some(Duration::ZERO),
            ..unlimited()
        };
        assert_eq!(texts(&policy, 3), ["00003"]);
        assert_eq!(texts(&policy, 0), ["00000", "00001", "00002", "00003"]);
    }

    #[test]
    fn what_is_asked_again_does_not_count() {
        let said = said(3);
        let replaced = said[1].message_id.as_ref().unwrap();
        let policy = BotPolicy {
            max_messages: 2,
            ..unlimited()
        };
        let kept = history(&said, &[replaced], &policy, UnixMillis(0));
        assert_eq!(kept, [said[0].clone(), said[2].clone()]);
    }

    proptest! {
        #[test]
        fn the_history_is_the_longest_end_within_every_limit(
            texts in proptest::collection::vec("[a-z]{0,6}", 0..12),
            max_messages in 0..14_usize,
            max_bytes in 0..60_usize,
            max_seconds in proptest::option::of(0..14_u64),
        ) {
            let said: Vec<_> = texts.iter().enumerate().map(|(at, text)| question(at, text)).collect();
            let max_age = max_seconds.map(Duration::from_secs);
            let policy = BotPolicy { max_messages, max_bytes, max_age, ..policy() };
            let asked_at = UnixMillis(12_000);
            let within = |end: &[Utterance]| {
                end.len() <= max_messages
                    && end.iter().map(Utterance::weight).sum::<usize>() <= max_bytes
                    && end.iter().all(|one| max_age.is_none_or(|limit| asked_at.since(one.at) <= limit))
            };
            let start = (0..=said.len()).find(|&start| within(&said[start..])).unwrap();
            prop_assert_eq!(history(&said, &[], &policy, asked_at), &said[start..]);
        }
    }
}
