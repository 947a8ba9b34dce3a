//! The fake Gateway does what Discord's does, where a bot depends on it.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic is their report")]

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use testkit::condition::{PATIENCE, wait_until};
use testkit::discord::{FakeGateway, direct_message};
use tokio::net::TcpStream;
use tokio_websockets::{ClientBuilder, MaybeTlsStream, Message, WebSocketStream};

const TOKEN: &str = "discord-token";

/// A connection of a bot.
struct Line(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Line {
    /// Connects, and is greeted.
    async fn open(gateway: &FakeGateway) -> Self {
        let uri = format!("{}/?v=10&encoding=json", gateway.url());
        let (socket, _) = ClientBuilder::new().uri(&uri).unwrap().connect().await.unwrap();
        let mut line = Self(socket);
        assert_eq!(line.hears().await["op"], 10);
        line
    }

    async fn says(&mut self, op: u8, data: Value) {
        let said = json!({"op": op, "d": data}).to_string();
        self.0.send(Message::text(said)).await.unwrap();
    }

    async fn identifies(&mut self) -> Value {
        self.says(2, json!({"token": format!("Bot {TOKEN}"), "intents": 37376}))
            .await;
        self.hears().await
    }

    async fn resumes(&mut self, session: &str, sequence: u64) {
        let token = format!("Bot {TOKEN}");
        self.says(6, json!({"token": token, "session_id": session, "seq": sequence}))
            .await;
    }

    async fn hears(&mut self) -> Value {
        let message = self.0.next().await.unwrap().unwrap();
        serde_json::from_str(message.as_text().unwrap()).unwrap()
    }

    /// The code with which the Gateway closes.
    async fn closes(&mut self) -> u16 {
        let message = self.0.next().await.unwrap().unwrap();
        message.as_close().unwrap().0.into()
    }
}

#[tokio::test]
async fn a_session_is_told_of_what_happens_and_its_heartbeats_are_answered() {
    let gateway = FakeGateway::start(TOKEN).await;
    let mut line = Line::open(&gateway).await;
    let ready = line.identifies().await;
    assert_eq!((&ready["t"], &ready["s"]), (&json!("READY"), &json!(1)));
    assert_eq!(ready["d"]["resume_gateway_url"], gateway.url());
    line.says(1, json!(1)).await;
    assert_eq!(line.hears().await["op"], 11);
    assert_eq!(gateway.says(direct_message("1", "2", "hello")), 2);
    let told = line.hears().await;
    assert_eq!((&told["t"], &told["s"]), (&json!("MESSAGE_CREATE"), &json!(2)));
    assert_eq!(told["d"]["content"], "hello");
}

#[tokio::test]
async fn who_resumes_is_told_what_was_missed_and_who_read_before_is_cut_off() {
    let gateway = FakeGateway::start(TOKEN).await;
    let mut first = Line::open(&gateway).await;
    let session = first.identifies().await["d"]["session_id"].clone();
    gateway.says(direct_message("1", "2", "one"));
    gateway.says(direct_message("1", "3", "two"));
    let mut second = Line::open(&gateway).await;
    second.resumes(session.as_str().unwrap(), 2).await;
    assert_eq!(second.hears().await["d"]["content"], "two");
    assert_eq!(second.hears().await["t"], "RESUMED");
    first.hears().await;
    first.hears().await;
    assert_eq!(first.closes().await, 4000);
    drop(first);
    wait_until(PATIENCE, "the first to be gone", async || {
        gateway.connections() == 1
    })
    .await;
    assert_eq!((gateway.live_sessions(), gateway.most_live_sessions()), (1, 1));
    assert_eq!((gateway.identifies(), gateway.resumes()), (1, vec![2]));
}

#[tokio::test]
async fn two_sessions_at_once_are_noticed() {
    let gateway = FakeGateway::start(TOKEN).await;
    let (mut first, mut second) = (Line::open(&gateway).await, Line::open(&gateway).await);
    first.identifies().await;
    second.identifies().await;
    assert_eq!(gateway.most_live_sessions(), 2);
}

#[tokio::test]
async fn an_unknown_session_is_not_resumed_and_an_unknown_token_is_not_let_in() {
    let gateway = FakeGateway::start(TOKEN).await;
    let mut line = Line::open(&gateway).await;
    line.resumes("of-another", 7).await;
    let answer = line.hears().await;
    assert_eq!((&answer["op"], &answer["d"]), (&json!(9), &json!(false)));
    line.says(2, json!({"token": "Bot another"})).await;
    assert_eq!(line.closes().await, 4004);
    let mut line = Line::open(&gateway).await;
    gateway.refuse_with(4014);
    line.says(2, json!({"token": format!("Bot {TOKEN}")})).await;
    assert_eq!(line.closes().await, 4014);
    assert_eq!((gateway.live_sessions(), gateway.identifies()), (0, 1));
}
