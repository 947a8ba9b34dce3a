//! What happens when time has passed: the delivery is made up, the broker is real.

use bus::{BusConfig, OnDifference, TraceContext};
use outbound::Policy;
use proto_schemas::ids::UnixMillis;
use proto_schemas::topology::INBOX;
use runtime::metrics::Metrics;
use testkit::backend::Scripted;
use testkit::condition::{PATIENCE, wait_until};
use testkit::files::FileHost;
use testkit::nats::NatsServer;

use super::*;
use runtime::lease::Lease;

const SPENT: Duration = BUDGET.max_age;
const ALMOST: Duration = Duration::from_secs(BUDGET.max_age.as_secs() - 30);

async fn fetcher(nats: &NatsServer) -> Fetcher {
    let config = BusConfig::new(nats.url(), "test");
    let bus = Bus::connect(config).await.unwrap();
    wait_until(PATIENCE, "the topology", async || {
        bus.ensure_topology(OnDifference::Keep).await.is_ok()
    })
    .await;
    let metrics = FetchMetrics::new(&Metrics::new("test").unwrap()).unwrap();
    let client = Client::new(Policy::new(&["127.0.0.1".to_owned()]).unwrap(), None).unwrap();
    // Nobody drives the registry: no connection is configured.
    let (registry, _following) = Registry::follow(bus.clone());
    Fetcher {
        files: Files::in_broker(bus.clone()),
        bus,
        registry,
        accounts: Accounts::default(),
        client,
        max_file_bytes: 1024,
        metrics,
    }
}

fn job(delivered: u64, age: Duration) -> Job {
    let stored_at = UnixMillis(clock::now().0 - age.as_millis() as u64);
    Job {
        sequence: 1,
        delivered,
        stored_at,
        trace: TraceContext::new(),
        lease: Lease::new(Duration::from_secs(30)),
    }
}

fn reply(url: &str) -> (TurnId, Fetch) {
    let turn = TurnId::new("turn_1").unwrap();
    let conversation = ConversationId::new("conv_1").unwrap();
    let files = vec![Attachment {
        url: url.to_owned(),
        filename: None,
        mime_type: None,
    }];
    (
        turn.clone(),
        Fetch::Out {
            turn,
            conversation,
            files,
        },
    )
}

#[tokio::test]
async fn a_file_that_keeps_failing_is_given_up_when_deliveries_and_time_are_used_up() {
    let (nats, host) = (NatsServer::start().await, FileHost::start().await);
    let fetcher = fetcher(&nats).await;
    let (turn, fetch) = reply(&host.add_script("a.pdf", Scripted::status(500)));
    let attempts = u64::from(BUDGET.attempts);
    for (delivered, age) in [(attempts - 1, SPENT), (attempts, ALMOST)] {
        let outcome = fetcher.handle(&fetch, &job(delivered, age)).await;
        assert!(
            matches!(outcome, Outcome::Retry { after: Some(_), .. }),
            "{outcome:?}"
        );
    }
    let outcome = fetcher.handle(&fetch, &job(attempts, SPENT)).await;
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    let key = subjects::files_progress(&turn);
    let progress = fetcher
        .bus
        .get::<FilesProgress>(&PROGRESS, &key)
        .await
        .unwrap()
        .unwrap()
        .record;
    let [OutgoingFile::Unavailable { reason, .. }] = &progress.files[..] else {
        panic!("{progress:?}")
    };
    assert_eq!(reason, "HTTP 500");
}

#[tokio::test]
async fn what_was_stored_before_is_not_fetched_again() {
    let (nats, host) = (NatsServer::start().await, FileHost::start().await);
    let fetcher = fetcher(&nats).await;
    let (turn, fetch) = reply(&host.add("a.pdf", "application/pdf", "content"));
    for delivered in [1, 2] {
        let outcome = fetcher.handle(&fetch, &job(delivered, Duration::ZERO)).await;
        assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    }
    assert_eq!(host.requests("a.pdf"), 1);
    let key = subjects::files_progress(&turn);
    let progress = fetcher
        .bus
        .get::<FilesProgress>(&PROGRESS, &key)
        .await
        .unwrap()
        .unwrap()
        .record;
    let [OutgoingFile::Stored(file)] = &progress.files[..] else {
        panic!("{progress:?}")
    };
    assert_eq!(
        (file.name.as_str(), file.mime_type.as_str(), file.bytes),
        ("a.pdf", "application/pdf", 7)
    );
}

#[tokio::test]
async fn a_connection_that_nobody_configures_is_waited_for_and_then_gone_without() {
    let nats = NatsServer::start().await;
    let fetcher = fetcher(&nats).await;
    let conversation = ConversationId::new("conv_1").unwrap();
    let location = FileLocation::Platform {
        file_id: "1".to_owned(),
    };
    let file = FileSource {
        name: "a.pdf".to_owned(),
        mime_type: None,
        bytes: None,
        location,
    };
    let fetch = Fetch::In {
        message_id: MessageId::new("msg_1").unwrap(),
        conversation: conversation.clone(),
        connection: ConnectionId::new("nobody").unwrap(),
        files: vec![file],
        album: None,
    };
    let almost = CONNECTION_PATIENCE - Duration::from_secs(30);
    let outcome = fetcher.handle(&fetch, &job(100, almost)).await;
    assert!(matches!(outcome, Outcome::Retry { .. }), "{outcome:?}");
    let outcome = fetcher.handle(&fetch, &job(100, CONNECTION_PATIENCE)).await;
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    let entry = fetcher
        .bus
        .last(INBOX.name, &subjects::inbox(&conversation))
        .await
        .unwrap()
        .unwrap();
    let InboxEntry::Attached(attached) = entry.decode().unwrap() else {
        panic!("not attached")
    };
    let [IncomingFile::Unavailable { name, reason }] = &attached.files[..] else {
        panic!("{attached:?}")
    };
    assert_eq!(
        (name.as_str(), reason.as_str()),
        ("a.pdf", "the connection is not configured")
    );
}

#[tokio::test]
async fn a_fetch_that_is_given_up_lets_its_conversation_go_on() {
    let nats = NatsServer::start().await;
    let fetcher = fetcher(&nats).await;
    let conversation = ConversationId::new("conv_1").unwrap();
    let file = FileSource {
        name: "a.png".to_owned(),
        mime_type: None,
        bytes: None,
        location: FileLocation::Platform {
            file_id: "1".to_owned(),
        },
    };
    let fetch = Fetch::In {
        message_id: MessageId::new("msg_1_a").unwrap(),
        conversation: conversation.clone(),
        connection: ConnectionId::new("tg").unwrap(),
        files: vec![file],
        album: None,
    };
    let give_up = GiveUp::permanent("oversize", "too large");
    let outcome = fetcher.given_up(&fetch, &give_up, &job(1, Duration::ZERO)).await;
    assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    let last = fetcher.bus.last("INBOX", &subjects::inbox(&conversation)).await;
    let entry: InboxEntry = last.unwrap().unwrap().decode().unwrap();
    let InboxEntry::Attached(attached) = entry else {
        panic!("{entry:?}")
    };
    let [IncomingFile::Unavailable { name, reason }] = &attached.files[..] else {
        panic!("{attached:?}")
    };
    assert_eq!((name.as_str(), reason.as_str()), ("a.png", "oversize"));
}

#[tokio::test]
async fn a_fetch_is_settled_when_its_own_outcome_stands_where_others_look() {
    let (nats, host) = (NatsServer::start().await, FileHost::start().await);
    let fetcher = fetcher(&nats).await;
    let (_, out) = reply(&host.add("a.pdf", "application/pdf", "content"));
    let fetch_in = |message: &str| Fetch::In {
        message_id: MessageId::new(message).unwrap(),
        conversation: ConversationId::new("conv_1").unwrap(),
        connection: ConnectionId::new("nobody").unwrap(),
        files: Vec::new(),
        album: None,
    };
    let (mine, other) = (fetch_in("msg_1"), fetch_in("msg_2"));
    let left = Left {
        stored_at: clock::now(),
        trace: TraceContext::new(),
    };
    let settled = async |fetch: &Fetch| fetcher.is_settled(fetch, left).await.unwrap();
    assert!(!settled(&out).await && !settled(&mine).await);
    for fetch in [&out, &mine] {
        let outcome = fetcher.handle(fetch, &job(1, CONNECTION_PATIENCE)).await;
        assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
    }
    assert!(settled(&out).await && settled(&mine).await);
    assert!(!settled(&other).await);
}
