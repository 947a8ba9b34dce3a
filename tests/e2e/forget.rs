//! What an operator wants forgotten is nowhere, and nobody else notices.

use std::process::{Output, Stdio};

use bus::Outgoing;
use data_encoding::BASE64;
use proto_schemas::ids::ConversationId;
use proto_schemas::subjects;
use proto_schemas::topology::{ATTACHMENTS, BUCKETS, INBOX, STREAMS, TRANSCRIPTS, bucket_stream};
use serde_json::json;
use testkit::backend::{always, echo};
use testkit::callback::text_message;
use testkit::condition::{PATIENCE, wait_until};
use testkit::process::binary;
use tokio::process::Command;

use crate::files::{fetch, image_links, photo};
use crate::manifest::{ERROR_MESSAGE, FRAGILE, WEB};
use crate::pipeline::{Options, Pipeline, echoed};

/// A word that nothing but the user's texts and file holds.
const WORD: &str = "xyzzy";

#[tokio::test]
async fn what_is_forgotten_is_nowhere_and_the_chat_begins_afresh() {
    let pipeline = Pipeline::start(Options::default()).await;
    let conversation = pipeline.say(FRAGILE, "ada", "xyzzy hello").await.conversation;
    pipeline.say(FRAGILE, "bob", "plugh hello").await;
    pipeline.replies("ada", 1).await;
    pipeline.replies("bob", 1).await;
    push_files(&pipeline, "ada", &[photo(), picture_with_the_word()]).await;
    push_files(&pipeline, "bob", &[photo()]).await;
    pipeline.replies("ada", 2).await;
    pipeline.replies("bob", 2).await;
    let links = of_bob(&pipeline);
    pipeline.backend.respond_with(always(500));
    pipeline.say(FRAGILE, "ada", "xyzzy fails").await;
    assert_eq!(pipeline.replies("ada", 3).await[2], ERROR_MESSAGE);
    pipeline.backend.respond_with(echo);
    pipeline.settled().await;
    let everywhere = [
        "INBOX",
        "TRANSCRIPTS",
        "DEAD_LETTERS",
        "KV_contexts",
        "OBJ_attachments",
    ];
    assert_eq!(with_the_word(&pipeline).await, everywhere);

    let chat = ["--connection", FRAGILE, "--chat", "ada"];
    let shown = said(&forget(&pipeline, &chat).await);
    assert!(
        shown.contains("3  transcripts") && shown.contains("without --yes"),
        "{shown}"
    );
    assert_eq!(
        with_the_word(&pipeline).await,
        everywhere,
        "shown only, and removed"
    );

    let done = said(&forget(&pipeline, &[&chat[..], &["--yes"]].concat()).await);
    for line in [
        "1  contexts",
        "3  inbox entries",
        "3  transcripts",
        "1  dead letters",
        "1  progress records",
        "1  files\n",
        "1  files stay",
    ] {
        assert!(done.contains(line), "{line:?} is not in\n{done}");
    }
    assert_eq!(with_the_word(&pipeline).await, [""; 0]);
    assert!(pipeline.dead_letters().await.is_empty());
    assert!(pipeline.transcripts(&conversation).await.is_empty());
    let again = said(&forget(&pipeline, &[&chat[..], &["--yes"]].concat()).await);
    assert!(again.contains("nothing is stored"), "{again}");

    pipeline.say(FRAGILE, "ada", "who am I?").await;
    assert_eq!(pipeline.replies("ada", 4).await[3], echoed(&["who am I?"]));
    pipeline.say(FRAGILE, "bob", "and I?").await;
    let told = pipeline.replies("bob", 3).await;
    assert!(
        told[2].starts_with("3: and I?") && told[2].contains("plugh hello"),
        "{told:?}"
    );
    assert_eq!(
        fetch(&links[0]).await,
        (200, photo()),
        "a file of somebody else is gone"
    );
    pipeline.settled().await;
    assert_eq!(
        pipeline.replies_now("ada").len(),
        4,
        "an old message is answered again"
    );
}

#[tokio::test]
async fn an_answer_that_is_being_waited_for_goes_with_its_conversation() {
    let pipeline = Pipeline::start(Options::default()).await;
    let gate = pipeline.backend.hold();
    let conversation = pipeline.say(WEB, "ada", "xyzzy").await.conversation;
    pipeline.backend.wait_for_calls(1).await;
    // It waits behind the one that is being answered.
    pipeline.say(WEB, "ada", "xyzzy and more").await;
    let id = ["--conversation", conversation.as_str(), "--yes"];
    said(&forget(&pipeline, &id).await);
    assert_eq!(with_the_word(&pipeline).await, [""; 0]);
    gate.release();
    pipeline.settled().await;
    assert_eq!(with_the_word(&pipeline).await, [""; 0]);
    assert!(pipeline.replies_now("ada").is_empty());
    pipeline.say(WEB, "ada", "who am I?").await;
    assert_eq!(pipeline.replies("ada", 1).await, [echoed(&["who am I?"])]);
}

#[tokio::test]
async fn a_reply_that_is_under_way_may_end_and_what_is_said_meanwhile_is_answered() {
    let pipeline = Pipeline::start(Options::default()).await;
    let gate = pipeline.callbacks.hold();
    let conversation = pipeline.say(WEB, "ada", "xyzzy").await.conversation;
    wait_for_attempt(&pipeline).await;
    let id = ["--conversation", conversation.as_str(), "--yes"];
    let forgetting = command(&pipeline, &id).spawn().unwrap();
    wait_until(PATIENCE, "the inbox to be removed", async || {
        inbox_is_empty(&pipeline, &conversation).await
    })
    .await;
    pipeline.say(WEB, "ada", "who am I?").await;
    pipeline.backend.wait_for_calls(2).await;
    gate.release();
    said(&forgetting.wait_with_output().await.unwrap());
    assert_eq!(pipeline.replies("ada", 2).await[1], echoed(&["who am I?"]));
    pipeline.settled().await;
    assert_eq!(with_the_word(&pipeline).await, [""; 0]);
    assert_eq!(pipeline.transcripts(&conversation).await.len(), 1);
}

#[tokio::test]
async fn a_reply_that_does_not_end_in_time_is_removed_and_the_command_says_so() {
    let pipeline = Pipeline::start(Options::default()).await;
    let gate = pipeline.callbacks.hold();
    let conversation = pipeline.say(WEB, "ada", "xyzzy").await.conversation;
    wait_for_attempt(&pipeline).await;
    let id = ["--conversation", conversation.as_str(), "--yes"];
    let impatient = forget(&pipeline, &[&id[..], &["--patience", "0s"]].concat()).await;
    let told = String::from_utf8_lossy(&impatient.stderr).into_owned();
    assert!(
        !impatient.status.success() && told.contains("run the same again"),
        "{told}"
    );
    assert_eq!(with_the_word(&pipeline).await, [""; 0]);
    gate.release();
    pipeline.settled().await;
    said(&forget(&pipeline, &id).await);
    assert_eq!(with_the_word(&pipeline).await, [""; 0]);
}

#[tokio::test]
async fn the_payload_of_a_dead_letter_in_the_object_store_goes_with_it() {
    let pipeline = Pipeline::start(Options::default()).await;
    let conversation = pipeline.say(WEB, "ada", "hello").await.conversation;
    pipeline.replies("ada", 1).await;
    pipeline.settled().await;
    // More than a dead letter holds itself.
    let payload = WORD.repeat(40_000).into();
    let no_turn = Outgoing::raw(subjects::turn(&conversation), payload, "no turn", Vec::new());
    pipeline.bus.publish(no_turn).await.unwrap();
    pipeline.wait_for_dead_letters(1).await;
    pipeline.settled().await;
    assert_eq!(with_the_word(&pipeline).await, ["OBJ_attachments"]);
    let id = ["--conversation", conversation.as_str(), "--yes"];
    said(&forget(&pipeline, &id).await);
    assert_eq!(with_the_word(&pipeline).await, [""; 0]);
    assert!(pipeline.dead_letters().await.is_empty());
}

#[tokio::test]
async fn a_user_is_forgotten_wherever_the_user_wrote() {
    let pipeline = Pipeline::start(Options::default()).await;
    for (chat, user) in [("one", "eve"), ("two", "eve"), ("two", "bob"), ("three", "bob")] {
        let message = text_message(chat, user, &format!("{user} in {chat}"));
        let id = format!("push-{chat}-{user}");
        let (status, _) = pipeline.push(WEB, &id, &message).await.unwrap();
        assert_eq!(status, 202);
        pipeline.settled().await;
    }
    let done = said(&forget(&pipeline, &["--connection", WEB, "--user", "eve", "--yes"]).await);
    assert!(done.contains("3  transcripts"), "{done}");
    let left = pipeline.all_transcripts().await;
    let users: Vec<&str> = left.iter().map(|turn| turn.user.id.as_str()).collect();
    assert_eq!(users, ["bob"], "the chat without the user stays, and no other");
    let nobody = said(&forget(&pipeline, &["--connection", WEB, "--user", "eve"]).await);
    assert!(nobody.contains("nothing is stored"), "{nobody}");
}

#[tokio::test]
async fn a_removal_that_is_cut_off_answers_nothing_again_and_can_be_repeated() {
    let pipeline = Pipeline::start(Options::default()).await;
    let conversation = pipeline.say(WEB, "ada", "xyzzy").await.conversation;
    pipeline.replies("ada", 1).await;
    pipeline.settled().await;
    let id = ["--conversation", conversation.as_str(), "--yes"];
    let mut cut_off = command(&pipeline, &id).spawn().unwrap();
    wait_until(PATIENCE, "the inbox to be removed", async || {
        inbox_is_empty(&pipeline, &conversation).await
    })
    .await;
    cut_off.kill().await.unwrap();
    assert!(
        with_the_word(&pipeline)
            .await
            .contains(&TRANSCRIPTS.name.to_owned())
    );
    said(&forget(&pipeline, &id).await);
    assert_eq!(with_the_word(&pipeline).await, [""; 0]);
    pipeline.say(WEB, "ada", "who am I?").await;
    assert_eq!(pipeline.replies("ada", 2).await[1], echoed(&["who am I?"]));
    pipeline.settled().await;
    assert_eq!(pipeline.replies_now("ada").len(), 2);
}

/// Waits until a reply is on its way.
async fn wait_for_attempt(pipeline: &Pipeline) {
    wait_until(PATIENCE, "a reply on its way", async || {
        !pipeline.callbacks.attempts().is_empty()
    })
    .await;
}

async fn inbox_is_empty(pipeline: &Pipeline, conversation: &ConversationId) -> bool {
    let subject = subjects::inbox(conversation);
    pipeline.stored(INBOX.name, &subject).await.is_empty()
}

/// A JPEG with the word in its bytes.
fn picture_with_the_word() -> Vec<u8> {
    let mut bytes = vec![0xff, 0xd8, 0xff, 0xe0];
    bytes.extend(WORD.bytes());
    bytes
}

/// A chat sends pictures, which come inside the push.
async fn push_files(pipeline: &Pipeline, chat: &str, pictures: &[Vec<u8>]) {
    let attachments: Vec<_> = pictures
        .iter()
        .map(|bytes| json!({ "data_base64": BASE64.encode(bytes), "name": "a.jpg", "content_type": "image/jpeg" }))
        .collect();
    let message = json!({
        "conversation_id": chat,
        "user": { "id": chat },
        "text": "look",
        "attachments": attachments,
    });
    let id = format!("files-{chat}");
    let (status, _) = pipeline.push(FRAGILE, &id, &message).await.unwrap();
    assert_eq!(status, 202);
}

/// The links to the pictures that the webhook was told about last in the chat of bob.
fn of_bob(pipeline: &Pipeline) -> Vec<String> {
    image_links(pipeline.calls_of("bob").last().unwrap())
}

/// The streams in which the word stands in any subject or payload, deleted or not.
async fn with_the_word(pipeline: &Pipeline) -> Vec<String> {
    let streams = STREAMS.iter().map(|stream| stream.name.to_owned());
    let buckets = BUCKETS.iter().map(bucket_stream);
    let files = format!("OBJ_{}", ATTACHMENTS.name);
    let mut found = Vec::new();
    for stream in streams.chain(buckets).chain([files]) {
        let stored = pipeline.stored(&stream, ">").await;
        let has_it = |bytes: &[u8]| bytes.windows(WORD.len()).any(|part| part == WORD.as_bytes());
        if stored
            .iter()
            .any(|entry| has_it(&entry.payload) || has_it(entry.subject.as_bytes()))
        {
            found.push(stream);
        }
    }
    found
}

fn command(pipeline: &Pipeline, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary("chatbot"));
    command
        .args(["--nats-url", pipeline.nats.url(), "forget"])
        .args(arguments)
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    command
}

async fn forget(pipeline: &Pipeline, arguments: &[&str]) -> Output {
    command(pipeline, arguments).output().await.unwrap()
}

/// What a command printed that succeeded.
fn said(output: &Output) -> String {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}\n{err}");
    out.into_owned()
}
