//! The users, each with what its service does.

use super::{FileAccess, User};
use crate::topology::{
    CONSUMERS, CONTEXT_EVENTS, DELIVERY_WORK, FETCH_WORK, INBOX_EVENTS, LIMITS, REGISTRY, TURN_WORK,
};

/// The user of the command line.
pub const OPERATOR: &str = "chatbot";
/// The user of `chatbot forget`, which alone may remove entries of the inbox and of the transcripts.
pub const FORGETTING: &str = "forget";
/// The user that copies whole streams. It cannot put them back: its key lies where backups are made by the clock, and who
/// restores writes what was said.
pub const BACKUP: &str = "backup";
/// The user that creates streams, buckets and consumers, from a backup too, and does nothing else. The server restores no
/// stream that is there.
pub const BOOTSTRAP: &str = "bootstrap";

/// Touches nothing but the operator's configuration, as every service does.
const NOTHING: User = User {
    name: "",
    sends: &[],
    hears: &[],
    answers: false,
    looks_up: &[],
    searches: &[],
    works: &[],
    measures: &[],
    follows: &[REGISTRY],
    files: FileAccess::None,
    removes_from: &[],
    purges: &[],
    remakes: &[],
    copies: false,
    creates: false,
};

/// All users.
pub const USERS: [User; 10] = [
    User {
        name: "ingress",
        sends: &["inbox.*", "$KV.gateways.*", "dead-letters.ingress.*.*"],
        looks_up: &[
            ("KV_contexts", "$KV.contexts.*"),
            ("KV_gateways", "$KV.gateways.*"),
        ],
        // The newest entry of a conversation, and how many wait.
        searches: &["INBOX"],
        // Pushes are refused while one of them is behind.
        measures: &[INBOX_EVENTS, TURN_WORK, DELIVERY_WORK],
        files: FileAccess::Stores,
        ..NOTHING
    },
    User {
        name: "context-builder",
        sends: &["turns.*", "fetches.in.*", "dead-letters.context-builder.*.*"],
        looks_up: &[("KV_contexts", "$KV.contexts.*"), ("TURNS", "turns.*")],
        // What waits, and how old the oldest event of each kind is.
        searches: &["INBOX", "KV_contexts"],
        works: &[INBOX_EVENTS, CONTEXT_EVENTS],
        // For a dead letter that is too large for its stream.
        files: FileAccess::Stores,
        ..NOTHING
    },
    User {
        name: "webhook-caller",
        sends: &[
            "$KV.contexts.*",
            "deliveries.*",
            "fetches.out.*",
            "$KV.progress.turn.*",
            "$KV.limits.rates.integrations.*",
            "$KV.limits.breakers.integrations.*",
            "typing.*",
            "dead-letters.webhook-caller.*.*",
        ],
        hears: &["integration-tests.*"],
        answers: true,
        looks_up: &[
            ("KV_contexts", "$KV.contexts.*"),
            ("KV_progress", "$KV.progress.turn.*"),
            ("KV_limits", "$KV.limits.>"),
        ],
        // What was left in its slot, and all circuit breakers.
        searches: &["TURNS", "KV_limits"],
        works: &[TURN_WORK],
        follows: &[REGISTRY, LIMITS],
        files: FileAccess::Stores,
        removes_from: &["TURNS"],
        remakes: &[LIMITS],
        ..NOTHING
    },
    User {
        name: "attachment-fetcher",
        sends: &[
            "inbox.*",
            "$KV.progress.fetch.in.*",
            "$KV.progress.fetch.out.*",
            "$KV.progress.files.*",
            "dead-letters.attachment-fetcher.*.*",
        ],
        looks_up: &[
            ("KV_progress", "$KV.progress.fetch.>"),
            ("KV_progress", "$KV.progress.files.*"),
        ],
        searches: &["INBOX", "FETCHES"],
        works: &[FETCH_WORK],
        files: FileAccess::Stores,
        removes_from: &["FETCHES"],
        ..NOTHING
    },
    User {
        name: "egress",
        sends: &[
            "transcripts.*",
            "$KV.progress.delivery.*.*",
            "$KV.limits.rates.connections.*",
            "$KV.limits.rates.chats.*.*",
            "dead-letters.egress.*.*",
        ],
        hears: &["typing.*"],
        looks_up: &[
            ("TRANSCRIPTS", "transcripts.*"),
            ("KV_progress", "$KV.progress.delivery.*.*"),
            ("KV_progress", "$KV.progress.files.*"),
            ("KV_limits", "$KV.limits.rates.>"),
        ],
        searches: &["DELIVERIES"],
        works: &[DELIVERY_WORK],
        files: FileAccess::Stores,
        removes_from: &["DELIVERIES"],
        remakes: &[LIMITS],
        ..NOTHING
    },
    User {
        name: "console",
        // Changes of the configuration, closing breakers, tests; and what a dead letter goes back to.
        sends: &[
            "$KV.registry.*.*",
            "$KV.limits.breakers.integrations.*",
            "integration-tests.*",
            "inbox.*",
            "turns.*",
            "fetches.*.*",
            "deliveries.*",
            "$KV.progress.links.*",
        ],
        looks_up: &[("KV_progress", "$KV.progress.links.*")],
        // Records as they are and were, what was given up and what was said, where a message is, breakers; and how old the
        // oldest work of each stage is.
        searches: &[
            "KV_registry",
            "DEAD_LETTERS",
            "TRANSCRIPTS",
            "INBOX",
            "KV_contexts",
            "TURNS",
            "FETCHES",
            "DELIVERIES",
            "KV_limits",
        ],
        measures: &CONSUMERS,
        // The payload of a dead letter that was too large for its stream.
        files: FileAccess::Reads,
        removes_from: &["DEAD_LETTERS"],
        ..NOTHING
    },
    User {
        name: OPERATOR,
        // The registry, closing breakers, tests; and what a dead letter goes back to.
        sends: &[
            "$KV.registry.*.*",
            "$KV.limits.breakers.integrations.*",
            "integration-tests.*",
            "inbox.*",
            "turns.*",
            "fetches.*.*",
            "deliveries.*",
        ],
        looks_up: &[
            ("KV_registry", "$KV.registry.*.*"),
            ("KV_contexts", "$KV.contexts.*"),
            ("KV_limits", "$KV.limits.breakers.integrations.*"),
            ("TURNS", "turns.*"),
            ("DELIVERIES", "deliveries.*"),
        ],
        searches: &["KV_registry", "INBOX", "TRANSCRIPTS", "DEAD_LETTERS", "KV_limits"],
        files: FileAccess::Reads,
        removes_from: &["DEAD_LETTERS"],
        ..NOTHING
    },
    User {
        name: FORGETTING,
        sends: &["$KV.contexts.*"],
        looks_up: &[("KV_contexts", "$KV.contexts.*")],
        searches: &[
            "KV_contexts",
            "TURNS",
            "INBOX",
            "FETCHES",
            "DELIVERIES",
            "KV_progress",
            "DEAD_LETTERS",
            "TRANSCRIPTS",
        ],
        files: FileAccess::Reads,
        removes_from: &[
            "TURNS",
            "INBOX",
            "FETCHES",
            "DELIVERIES",
            "DEAD_LETTERS",
            "TRANSCRIPTS",
        ],
        purges: &["KV_progress", "OBJ_attachments"],
        follows: &[],
        ..NOTHING
    },
    User {
        name: BACKUP,
        follows: &[],
        copies: true,
        ..NOTHING
    },
    User {
        name: BOOTSTRAP,
        follows: &[],
        creates: true,
        ..NOTHING
    },
];

/// The user of this name.
pub fn user(name: &str) -> Option<&'static User> {
    // A constant's promoted copy, so that it may be referred to for ever.
    const ALL: &[User] = &USERS;
    ALL.iter().find(|user| user.name == name)
}
