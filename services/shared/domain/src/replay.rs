//! Asking failed messages again, through the inbox, as if they had just been written.

use proto_schemas::content::{FileLocation, FileSource, IncomingFile, StoredFile, Utterance};
use proto_schemas::ids::UnixMillis;
use proto_schemas::inbox::{InboxEntry, Received};
use proto_schemas::turn::{Task, Turn};

use crate::ids;

/// The inbox entries that ask the questions of `turn` again for the `n`th time: new messages, each of which
/// replaces its original in the history. Calling it twice with the same `n` gives the same ids, so a replay
/// sent twice is asked once. Files that could not be had are left out; a reset asks nothing.
pub fn replay_turn(turn: &Turn, n: u32, accepted_at: UnixMillis) -> Vec<InboxEntry> {
    match &turn.task {
        Task::Ask { question, .. } => question
            .iter()
            .filter_map(|utterance| again(turn, utterance, n, accepted_at))
            .collect(),
        Task::Reset { .. } => Vec::new(),
    }
}

fn again(turn: &Turn, utterance: &Utterance, n: u32, accepted_at: UnixMillis) -> Option<InboxEntry> {
    let original = utterance.message_id.as_ref()?;
    Some(InboxEntry::Received(Received {
        message_id: ids::replay_message_id(original, n),
        conversation: turn.conversation.clone(),
        bot: turn.bot.clone(),
        connection: turn.connection.clone(),
        channel: turn.channel,
        address: turn.address.clone(),
        user: turn.user.clone(),
        text: utterance.text.clone(),
        files: utterance.files.iter().filter_map(stored).map(source).collect(),
        album: None,
        replay_of: Some(original.clone()),
        accepted_at,
    }))
}

fn stored(file: &IncomingFile) -> Option<&StoredFile> {
    match file {
        IncomingFile::Stored(stored) => Some(stored),
        IncomingFile::Unavailable { .. } => None,
    }
}

fn source(stored: &StoredFile) -> FileSource {
    FileSource {
        name: stored.name.clone(),
        mime_type: Some(stored.mime_type.clone()),
        bytes: Some(stored.bytes),
        location: FileLocation::Stored(stored.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    const NOW: UnixMillis = UnixMillis(50_000);

    fn received(entry: &InboxEntry) -> &Received {
        match entry {
            InboxEntry::Received(received) => received,
            InboxEntry::Attached(_) | InboxEntry::Reset(_) => panic!("{entry:?} asks nothing"),
        }
    }

    #[test]
    fn each_question_is_asked_again_in_order() {
        let turn = samples::turn(
            Vec::new(),
            vec![samples::question(2, "q2"), samples::question(3, "q3")],
        );
        let entries = replay_turn(&turn, 1, NOW);
        let texts: Vec<&str> = entries
            .iter()
            .map(|entry| received(entry).text.as_str())
            .collect();
        assert_eq!(texts, ["q2", "q3"]);

        let last = received(&entries[1]);
        assert_eq!(last.replay_of, Some(samples::message(3)));
        assert_eq!(last.message_id.conversation(), Some(turn.conversation.clone()));
        assert_eq!(
            (&last.conversation, &last.address),
            (&turn.conversation, &turn.address)
        );
        assert_eq!(
            (&last.bot, &last.connection, &last.user),
            (&turn.bot, &turn.connection, &turn.user)
        );
        assert_eq!(last.accepted_at, NOW);
    }

    #[test]
    fn the_same_replay_is_recognised_and_the_next_one_is_new() {
        let turn = samples::turn(Vec::new(), vec![samples::question(3, "q3")]);
        assert_eq!(replay_turn(&turn, 1, NOW), replay_turn(&turn, 1, NOW));
        let id = |n| replay_turn(&turn, n, NOW)[0].message_id().clone();
        assert_ne!(id(1), id(2));
        assert_ne!(id(1), samples::message(3));
    }

    #[test]
    fn stored_files_come_along_without_a_fetch_and_lost_ones_do_not() {
        let files = vec![
            IncomingFile::Unavailable {
                name: "a".to_owned(),
                reason: "gone".to_owned(),
            },
            IncomingFile::Stored(samples::stored(3)),
        ];
        let question = Utterance {
            files,
            ..samples::question(3, "")
        };
        let entries = replay_turn(&samples::turn(Vec::new(), vec![question]), 1, NOW);
        let expected = vec![IncomingFile::Stored(samples::stored(3))];
        assert_eq!(received(&entries[0]).stored_files(), Some(expected));
    }

    #[test]
    fn a_reset_is_not_asked_again() {
        assert_eq!(replay_turn(&samples::reset_turn(), 1, NOW), []);
    }
}
