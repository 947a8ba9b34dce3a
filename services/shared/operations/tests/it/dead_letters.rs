//! What was given up: found again, by pages and filters, replayed and removed.

use bus::{Outgoing, TraceContext};
use operations::dead_letters::{
    Filter, ReplayError, Replayed, all, find, list, purge_some, remove, replay, replay_some,
};
use proto_schemas::dead_letter::{DeadLetter, Stage};
use proto_schemas::ids::{DeadLetterId, UnixMillis};
use proto_schemas::topology::INBOX;
use serde_json::json;

use crate::broker::Broker;

/// When it is, in these tests.
const NOW: UnixMillis = UnixMillis(2_000_000);

fn letter(id: &str, class: &str, buried_at: u64) -> DeadLetter {
    let letter = json!({"id": id, "stage": "context-builder", "class": class, "cause": "a reason",
        "stream": INBOX.name, "subject": "inbox.conv_a", "payload": {"text": "{}"}, "buried_at": buried_at,
        "attempts": [{"at": 1, "integration": "echo", "class": "timeout", "detail": "too slow", "millis": 1}]});
    serde_json::from_value(letter).unwrap()
}

impl Broker {
    async fn bury(&self, letter: &DeadLetter) {
        self.bury_as(letter, letter.id.as_str()).await;
    }

    /// Buries under an identity by which the server tells repetitions.
    async fn bury_as(&self, letter: &DeadLetter, identity: &str) {
        let subject = format!(
            "dead-letters.{}.{}.{}",
            letter.stage.as_str(),
            letter.class,
            letter.id
        );
        let message = Outgoing::new(subject, letter, identity, TraceContext::new());
        self.bus.publish(message.unwrap()).await.unwrap();
    }

    async fn ids(&self, filter: &Filter) -> Vec<String> {
        let found = all(&self.bus, filter).await.unwrap();
        found
            .into_iter()
            .map(|buried| buried.letter.id.to_string())
            .collect()
    }
}

#[tokio::test]
async fn each_part_of_a_filter_leaves_out_what_it_does_not_fit() {
    let broker = Broker::start().await;
    broker.bury(&letter("one", "timeout", 1)).await;
    broker.bury(&letter("two", "refused", 2)).await;
    let text = |text: &str| Some(text.to_owned());
    let none: [&str; 0] = [];
    let filter = Filter::default();
    assert_eq!(broker.ids(&filter).await, ["one", "two"]);
    let class = Filter {
        class: text("timeout"),
        ..filter.clone()
    };
    assert_eq!(broker.ids(&class).await, ["one"]);
    let since = Filter {
        since: Some(UnixMillis(2)),
        ..filter.clone()
    };
    assert_eq!(broker.ids(&since).await, ["two"]);
    let until = Filter {
        until: Some(UnixMillis(1)),
        ..filter.clone()
    };
    assert_eq!(broker.ids(&until).await, ["one"]);
    for (fits, others) in [
        (
            Filter {
                stage: Some(Stage::ContextBuilder),
                ..filter.clone()
            },
            Filter {
                stage: Some(Stage::Egress),
                ..filter.clone()
            },
        ),
        (
            Filter {
                integration: text("echo"),
                ..filter.clone()
            },
            Filter {
                integration: text("e"),
                ..filter.clone()
            },
        ),
        (
            Filter {
                conversation: text("conv_a"),
                ..filter.clone()
            },
            Filter {
                conversation: text("conv_b"),
                ..filter.clone()
            },
        ),
    ] {
        assert_eq!(broker.ids(&fits).await, ["one", "two"], "{fits:?}");
        assert_eq!(broker.ids(&others).await, none, "{others:?}");
    }
}

#[tokio::test]
async fn pages_of_dead_letters_end_where_the_next_begin() {
    let broker = Broker::start().await;
    for number in 0..5 {
        broker
            .bury(&letter(&format!("dl{number}"), "timeout", number))
            .await;
    }
    let (mut seen, mut next) = (Vec::new(), Some(0));
    while let Some(from) = next {
        let page = list(&broker.bus, &Filter::default(), from, 2).await.unwrap();
        assert!(page.items.len() <= 2);
        seen.extend(page.items.into_iter().map(|buried| buried.letter.id.to_string()));
        next = page.next;
    }
    assert_eq!(seen, ["dl0", "dl1", "dl2", "dl3", "dl4"]);

    // Those that came later are not of the list, and nothing leads to them.
    let first = list(&broker.bus, &Filter::default(), 0, 2).await.unwrap();
    let through = first.next.map(|next| next - 1);
    let until = Filter {
        through,
        ..Filter::default()
    };
    let page = list(&broker.bus, &until, 0, 2).await.unwrap();
    assert_eq!((page.items.len(), page.next), (2, None));
    assert_eq!(broker.ids(&until).await, ["dl0", "dl1"]);
}

#[tokio::test]
async fn what_is_replayed_is_published_again_and_no_longer_a_dead_letter() {
    let broker = Broker::start().await;
    broker.bury(&letter("one", "timeout", 1)).await;
    let id = DeadLetterId::new("one").unwrap();
    let buried = find(&broker.bus, &id).await.unwrap().unwrap();
    let replayed = replay(&broker.bus, &buried, NOW).await.unwrap();
    let subject = "inbox.conv_a".to_owned();
    assert!(broker.bus.last(INBOX.name, &subject).await.unwrap().is_some());
    assert_eq!(replayed, Replayed::Published { subject });
    assert!(find(&broker.bus, &id).await.unwrap().is_none());
    remove(&broker.bus, &buried)
        .await
        .expect("it is gone, which is what was wanted");
}

#[tokio::test]
async fn work_that_was_given_up_twice_is_one_dead_letter() {
    let broker = Broker::start().await;
    broker.bury(&letter("one", "timeout", 1)).await;
    // As after the time for which the server knows the first one.
    broker.bury_as(&letter("one", "timeout", 2), "again").await;
    broker.bury(&letter("two", "timeout", 3)).await;
    let filter = Filter::default();
    let found = all(&broker.bus, &filter).await.unwrap();
    assert_eq!(broker.ids(&filter).await, ["one", "two"]);
    remove(&broker.bus, &found[0]).await.unwrap();
    assert_eq!(broker.ids(&filter).await, ["two"]);
}

#[tokio::test]
async fn what_came_from_outside_stays_a_dead_letter() {
    let broker = Broker::start().await;
    let mut outside = letter("one", "undecodable", 1);
    outside.stream = None;
    broker.bury(&outside).await;
    let id = DeadLetterId::new("one").unwrap();
    let buried = find(&broker.bus, &id).await.unwrap().unwrap();
    let refused = replay(&broker.bus, &buried, NOW).await;
    assert!(matches!(refused, Err(ReplayError::Impossible(_))), "{refused:?}");
    assert!(find(&broker.bus, &id).await.unwrap().is_some());
}

#[tokio::test]
async fn dead_letters_are_handled_some_at_a_time_and_each_once() {
    let broker = Broker::start().await;
    for number in 0..3 {
        broker
            .bury(&letter(&format!("dl{number}"), "timeout", number))
            .await;
    }
    broker.bury_as(&letter("dl0", "timeout", 9), "again").await;
    broker.bury(&letter("other", "refused", 9)).await;
    let filter = Filter {
        class: Some("timeout".to_owned()),
        ..Filter::default()
    };
    let first = replay_some(&broker.bus, &filter, 0, 2, NOW).await.unwrap();
    let ids = |bulk: &operations::dead_letters::Bulk| -> Vec<String> {
        bulk.done.iter().map(|done| done.id.to_string()).collect()
    };
    assert_eq!(ids(&first), ["dl1", "dl2"], "the newest of a subject stays");
    let from = first.next_cursor.unwrap().parse().unwrap();
    let rest = purge_some(&broker.bus, &filter, from, 100).await.unwrap();
    assert_eq!(ids(&rest), ["dl0"]);
    assert_eq!((rest.next_cursor, rest.done[0].replayed.as_ref()), (None, None));
    assert_eq!(broker.ids(&Filter::default()).await, ["other"]);
}
