//! A backup of the broker is restored into an empty one, and the conversations go on.
//!
//! Streams are copied one after the other, so what would move work from one into the next has ended by then. ingress runs:
//! it only adds to what waits.

mod copies;

use proto_schemas::access::{BACKUP, BOOTSTRAP, OPERATOR, lasting_streams};
use proto_schemas::dead_letter::Stage;
use testkit::backend::{always, echo};
use testkit::gate::Gate;
use testkit::nats::NatsServer;

use crate::broker::connecting_as;
use crate::manifest::{ERROR_MESSAGE, FRAGILE, WEB};
use crate::pipeline::{Options, Pipeline, echoed};
use tests::secured::Secured;

use self::copies::StreamCopy;

/// All services but ingress.
const BEHIND_INGRESS: [Stage; 4] = [
    Stage::ContextBuilder,
    Stage::WebhookCaller,
    Stage::AttachmentFetcher,
    Stage::Egress,
];

/// On a broker with users, and with services that do not wait long for a webhook when they are asked to end.
const IMPATIENT: Options = Options {
    replicas: 1,
    settings: &[("DRAIN_DEADLINE", "1s")],
    files_in_s3: false,
    secured: true,
    traced: false,
};

impl Pipeline {
    /// Ends all services but ingress.
    async fn hold_still(&self) {
        for stage in BEHIND_INGRESS {
            self.service(stage).terminate().await;
        }
    }

    /// Copies every stream.
    async fn back_up(&self) -> Vec<StreamCopy> {
        let options = connecting_as(self.users(), BACKUP);
        let client = options.connect(Secured::url(&self.nats)).await.unwrap();
        let mut copies = Vec::new();
        for stream in lasting_streams() {
            copies.push(StreamCopy::take(&client, &stream).await);
        }
        assert!(!self.nats.log().contains("Violation"), "{}", self.nats.log());
        copies
    }

    /// Ends all that is left, and goes on at an empty broker into which the copies are put.
    async fn go_on_with(&mut self, copies: &[StreamCopy]) {
        for stage in Stage::ALL {
            self.service(stage).kill();
        }
        self.nats.stop().await;
        let empty = self.users().start().await;
        let options = connecting_as(self.users(), BOOTSTRAP);
        let client = options.connect(Secured::url(&empty)).await.unwrap();
        for copy in copies {
            copy.restore(&client).await;
        }
        let said = self.bootstrap(&empty);
        assert_eq!(
            said,
            "created KV_limits\nstreams, consumers and buckets are in place\n"
        );
        self.go_on_at(empty).await;
    }

    /// What `chatbot bootstrap` says of a broker.
    fn bootstrap(&self, nats: &NatsServer) -> String {
        let done = self.users().chatbot(BOOTSTRAP, nats).arg("bootstrap").output();
        String::from_utf8(done.unwrap().stdout).unwrap()
    }

    /// A chat says something, and its webhook does not answer.
    async fn say_and_wait(&self, chat: &str, text: &str) -> Gate {
        let calls = self.backend.calls().len();
        let gate = self.backend.hold();
        self.say(WEB, chat, text).await;
        self.backend.wait_for_calls(calls + 1).await;
        gate
    }
}

#[tokio::test]
async fn a_restored_broker_goes_on_where_the_backup_was_made() {
    let mut pipeline = Pipeline::start(IMPATIENT).await;
    pipeline.say(WEB, "ada", "one").await;
    pipeline.replies("ada", 1).await;
    pipeline.say(WEB, "ada", "two").await;
    pipeline.replies("ada", 2).await;
    pipeline.backend.respond_with(always(500));
    pipeline.say(FRAGILE, "eve", "hard").await;
    assert_eq!(pipeline.replies("eve", 1).await, [ERROR_MESSAGE]);
    pipeline.settled().await;
    pipeline.backend.respond_with(echo);
    let gate = pipeline.say_and_wait("bob", "slow").await;
    pipeline.hold_still().await;
    pipeline.say(WEB, "carol", "is anybody there?").await;

    let copies = pipeline.back_up().await;
    pipeline.go_on_with(&copies).await;
    gate.release();

    assert_eq!(pipeline.replies("bob", 1).await, [echoed(&["slow"])]);
    let carol = pipeline.replies("carol", 1).await;
    assert_eq!(carol, [echoed(&["is anybody there?"])]);
    pipeline.say(WEB, "ada", "three").await;
    let ada = pipeline.replies("ada", 3).await;
    assert_eq!(ada[2], echoed(&["one", "two", "three"]));
    let letter = pipeline.dead_letters().await.remove(0);
    let replay = ["dead-letters", "replay", letter.id.as_str()];
    pipeline.chatbot_as(OPERATOR, &replay).await;
    let eve = pipeline.replies("eve", 2).await;
    assert!(eve[1].contains("hard"), "{eve:?}");
    pipeline.settled().await;
    for (chat, replies) in [("ada", 3), ("bob", 1), ("carol", 1), ("eve", 2)] {
        assert_eq!(pipeline.replies_now(chat).len(), replies, "{chat}");
    }
    assert_eq!(
        pipeline.calls_of("ada").len(),
        3,
        "what was answered is asked again"
    );
}

#[tokio::test]
async fn what_came_after_a_backup_is_forgotten_and_what_waited_then_is_answered_again() {
    let mut pipeline = Pipeline::start(IMPATIENT).await;
    pipeline.say(WEB, "ada", "one").await;
    pipeline.replies("ada", 1).await;
    let gate = pipeline.say_and_wait("bob", "slow").await;
    pipeline.hold_still().await;
    let copies = pipeline.back_up().await;
    gate.release();
    for stage in BEHIND_INGRESS {
        pipeline.restart(stage).await;
    }
    pipeline.replies("bob", 1).await;
    pipeline.say(WEB, "ada", "two").await;
    pipeline.replies("ada", 2).await;
    pipeline.settled().await;

    pipeline.go_on_with(&copies).await;

    pipeline.replies("bob", 2).await;
    pipeline.say(WEB, "ada", "three").await;
    assert_eq!(pipeline.replies("ada", 3).await[2], echoed(&["one", "three"]));
    pipeline.settled().await;
    let bob = pipeline.replies_now("bob");
    assert_eq!(bob.len(), 2);
    assert_eq!(bob[0].id, bob[1].id, "who receives it knows it again");
    let asked = pipeline.calls_of("bob");
    let identity = &asked[0].headers["webhook-id"];
    assert!(asked.len() > 1 && asked.iter().all(|call| call.headers["webhook-id"] == identity));
}
