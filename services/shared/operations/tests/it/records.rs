//! Records of the configuration: by compare-and-set, with a history, and only if they break no rule.

use std::sync::Arc;

use operations::{Condition, RecordError, Written, delete, history, list, put, roll_back, show, validate};
use registry::{AllowedSecrets, Bot, Connection, Integration, Snapshot};
use serde_json::{Value, json};

use crate::broker::Broker;

const ANY: AllowedSecrets = AllowedSecrets::ANY;

fn integration(id: &str, timeout: &str) -> Value {
    json!({"id": id, "url": "https://a.example/", "timeout": timeout})
}

fn bot(integration: &str) -> Value {
    json!({"id": "support", "name": "Support", "integration": integration})
}

impl Broker {
    async fn create(&self, id: &str) -> u64 {
        self.put(id, "1s", Condition::Absent).await.unwrap().to
    }

    async fn put(&self, id: &str, timeout: &str, condition: Condition) -> Result<Written, RecordError> {
        put::<Integration>(&self.bus, &ANY, id, integration(id, timeout), condition).await
    }

    /// What is stored, as its timeout in seconds.
    async fn timeout(&self, id: &str) -> u64 {
        let stored = show::<Integration>(&self.bus, id).await.unwrap();
        stored.record.unwrap().timeout.0.as_secs()
    }
}

/// The snapshot that a service would have by now.
fn snapshot(integrations: &[&str], bots: &[Value]) -> Snapshot {
    let integrations = integrations.iter().map(|id| {
        let record: Integration = serde_json::from_value(integration(id, "1s")).unwrap();
        (record.id.clone(), Arc::new(record))
    });
    let bots = bots.iter().map(|bot| {
        let record: Bot = serde_json::from_value(bot.clone()).unwrap();
        (record.id.clone(), Arc::new(record))
    });
    Snapshot {
        bots: bots.collect(),
        integrations: integrations.collect(),
        ..Snapshot::default()
    }
}

#[tokio::test]
async fn a_change_names_the_revision_that_it_replaces() {
    let broker = Broker::start().await;
    let first = broker.create("echo").await;
    let changed = broker
        .put("echo", "2s", Condition::Revision(first))
        .await
        .unwrap();
    assert_eq!(changed.from, Some(first));
    for stale in [Condition::Revision(first), Condition::Absent] {
        let refused = broker.put("echo", "3s", stale).await;
        assert!(matches!(refused, Err(RecordError::Changed)), "{refused:?}");
    }
    assert_eq!(broker.timeout("echo").await, 2);
}

#[tokio::test]
async fn of_two_changes_to_one_revision_one_is_made() {
    let broker = Broker::start().await;
    let first = Condition::Revision(broker.create("echo").await);
    let (one, other) = tokio::join!(broker.put("echo", "2s", first), broker.put("echo", "3s", first));
    let kept = match (one, other) {
        (Ok(_), Err(RecordError::Changed)) => 2,
        (Err(RecordError::Changed), Ok(_)) => 3,
        both => panic!("{both:?}"),
    };
    assert_eq!(broker.timeout("echo").await, kept);
}

#[tokio::test]
async fn what_breaks_a_rule_is_told_whole_and_not_stored() {
    let broker = Broker::start().await;
    let mut wrong = bot("nowhere");
    wrong["nmae"] = "B".into();
    wrong["name"] = "x".repeat(257).into();
    wrong["id"] = "other".into();
    let problems = validate::<Bot>(&broker.bus, &ANY, "support", wrong.clone())
        .await
        .unwrap();
    let paths: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "bots.support.nmae",
            "bots.support.id",
            "bots.other.integration",
            "bots.other.name"
        ]
    );
    let refused = put::<Bot>(&broker.bus, &ANY, "support", wrong, Condition::Absent).await;
    assert!(matches!(refused, Err(RecordError::Invalid(told)) if told == problems));
    let absent = show::<Bot>(&broker.bus, "support").await;
    assert!(matches!(absent, Err(RecordError::Unknown)));
}

#[tokio::test]
async fn what_a_record_refers_to_counts_from_the_moment_it_is_stored() {
    let broker = Broker::start().await;
    assert_eq!(
        validate::<Bot>(&broker.bus, &ANY, "support", bot("echo"))
            .await
            .unwrap()
            .len(),
        1
    );
    broker.create("echo").await;
    put::<Bot>(&broker.bus, &ANY, "support", bot("echo"), Condition::Absent)
        .await
        .unwrap();
    let connection = json!({"id": "web", "bot": "support", "channel": {"http": {"secrets": ["env:S"],
        "callback_url": "https://c.example/", "callback_secret": "env:C"}}});
    let broken = validate::<Connection>(&broker.bus, &ANY, "web", connection)
        .await
        .unwrap();
    assert_eq!(broken, []);
}

#[tokio::test]
async fn a_removed_record_can_be_brought_back_from_its_history() {
    let broker = Broker::start().await;
    let first = broker.create("echo").await;
    let second = broker
        .put("echo", "2s", Condition::Revision(first))
        .await
        .unwrap()
        .to;
    let nobody = Snapshot::default();
    let stale = delete::<Integration>(&broker.bus, &nobody, "echo", first).await;
    assert!(matches!(stale, Err(RecordError::Changed)), "{stale:?}");
    let removed = delete::<Integration>(&broker.bus, &nobody, "echo", second)
        .await
        .unwrap();
    assert_eq!(removed.from, Some(second));
    let again = delete::<Integration>(&broker.bus, &nobody, "echo", second).await;
    assert!(matches!(again, Err(RecordError::Unknown)), "{again:?}");

    let past = history::<Integration>(&broker.bus, "echo").await.unwrap();
    let seen: Vec<(u64, bool)> = past.iter().map(|past| (past.revision, past.removed)).collect();
    assert_eq!(seen, [(removed.to, true), (second, false), (first, false)]);

    let back = async |revision, condition| {
        roll_back::<Integration>(&broker.bus, &ANY, "echo", revision, condition).await
    };
    for (revision, condition) in [(removed.to, Condition::Absent), (first + 100, Condition::Absent)] {
        let refused = back(revision, condition).await;
        assert!(
            matches!(refused, Err(RecordError::UnknownRevision)),
            "{refused:?}"
        );
    }
    let refused = back(first, Condition::Revision(removed.to)).await;
    assert!(matches!(refused, Err(RecordError::Changed)), "{refused:?}");
    assert_eq!(back(first, Condition::Absent).await.unwrap().from, None);
    assert_eq!(broker.timeout("echo").await, 1);
}

#[tokio::test]
async fn going_back_to_what_breaks_a_rule_by_now_is_refused() {
    let broker = Broker::start().await;
    for id in ["echo", "other"] {
        broker.create(id).await;
    }
    let put = async |integration, condition| {
        let done = put::<Bot>(&broker.bus, &ANY, "support", bot(integration), condition).await;
        done.unwrap().to
    };
    let first = put("echo", Condition::Absent).await;
    let second = put("other", Condition::Revision(first)).await;
    let echo = show::<Integration>(&broker.bus, "echo").await.unwrap().revision;
    delete::<Integration>(&broker.bus, &snapshot(&[], &[bot("other")]), "echo", echo)
        .await
        .unwrap();
    let refused = roll_back::<Bot>(&broker.bus, &ANY, "support", first, Condition::Revision(second)).await;
    assert!(matches!(refused, Err(RecordError::Invalid(_))), "{refused:?}");
}

#[tokio::test]
async fn what_others_refer_to_is_not_removed() {
    let broker = Broker::start().await;
    let echo = broker.create("echo").await;
    let split = json!({"id": "b", "name": "B", "fallback": "echo",
        "split": {"arms": [{"integration": "echo"}, {"integration": "other"}]}});
    let users = snapshot(&[], &[bot("echo"), split]);
    let refused = delete::<Integration>(&broker.bus, &users, "echo", echo).await;
    let Err(RecordError::InUse(keys)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(keys, ["bots.b", "bots.support"]);
    assert_eq!(broker.timeout("echo").await, 1);
}

#[tokio::test]
async fn pages_follow_each_other_without_gap_or_repetition() {
    let broker = Broker::start().await;
    let ids = ["a", "b", "c", "d", "e"];
    for id in ids {
        broker.create(id).await;
    }
    let known = snapshot(&ids, &[]);
    // One that the snapshot still has is gone.
    let gone = show::<Integration>(&broker.bus, "b").await.unwrap().revision;
    delete::<Integration>(&broker.bus, &Snapshot::default(), "b", gone)
        .await
        .unwrap();
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = list::<Integration>(&broker.bus, &known, cursor.as_deref(), 2)
            .await
            .unwrap();
        assert!(page.items.len() <= 2);
        seen.extend(page.items.into_iter().map(|stored| stored.id));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["a", "c", "d", "e"]);
}

#[tokio::test]
async fn a_gateway_that_a_stored_connection_reads_is_read_by_no_other() {
    let broker = Broker::start().await;
    broker.create("echo").await;
    put::<Bot>(&broker.bus, &ANY, "support", bot("echo"), Condition::Absent)
        .await
        .unwrap();
    let reader = |id: &str| {
        json!({"id": id, "bot": "support", "channel": {"discord": {
            "token": "env:T", "application_id": "7", "public_key": "ab".repeat(32), "gateway": {}}}})
    };
    let create =
        async |id: &str| put::<Connection>(&broker.bus, &ANY, id, reader(id), Condition::Absent).await;
    let first = create("first").await.unwrap();
    let RecordError::Invalid(problems) = create("second").await.unwrap_err() else {
        panic!("the second reader is refused for another reason");
    };
    assert_eq!(problems[0].path, "connections.second.channel.discord.gateway");
    let again = Condition::Revision(first.to);
    let changed = put::<Connection>(&broker.bus, &ANY, "first", reader("first"), again).await;
    let (revision, snapshot) = (changed.unwrap().to, snapshot(&[], &[]));
    delete::<Connection>(&broker.bus, &snapshot, "first", revision)
        .await
        .unwrap();
    create("second").await.unwrap();
}
