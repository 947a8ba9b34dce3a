//! The four bare stages, one process each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use proto_schemas::topology::{
    CONTEXT_EVENTS, CONTEXTS, DELIVERY_WORK, INBOX, INBOX_EVENTS, TRANSCRIPTS, TURN_WORK, bucket_stream,
};
use tokio::net::TcpListener;

use super::broker::{Broker, Note};
use super::{Orders, STAGES};
use crate::token::Token;

/// Messages in work at once, as the services have it by default.
const BUILDER_CONCURRENCY: usize = 64;
const CALLER_CONCURRENCY: usize = 20_000;
const OUT_CONCURRENCY: usize = 1024;
/// As long as ingress's receipt.
const RECEIPT: &str = r#"{"id":"msg_mzu6dot63pzbxkznliiambjk4u_72vpxi4l4hrgcals","conversation_id":"conv_mzu6dot63pzbxkznliiambjk4u"}"#;

/// A stage at work.
struct Stage {
    broker: Broker,
    http: reqwest::Client,
    orders: Orders,
    /// The sequence of each conversation's newest message, where it is known.
    newest: Mutex<HashMap<usize, u64>>,
}

/// Runs the stage that the orders name, for ever.
pub(crate) async fn run(orders: Orders) {
    let http = reqwest::Client::builder()
        .http1_only()
        .no_proxy()
        .pool_max_idle_per_host(1024);
    let stage = Stage {
        broker: Broker::connect(&orders.nats_url).await,
        http: http.build().expect("the settings are constant"),
        orders,
        newest: Mutex::default(),
    };
    match STAGES.iter().position(|name| *name == stage.orders.stage) {
        Some(0) => stage.take_in().await,
        Some(1) => stage.build().await,
        Some(2) => stage.call().await,
        Some(_) => stage.send_out().await,
        None => panic!("there is no stage {}", stage.orders.stage),
    }
}

impl Stage {
    async fn take_in(self) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        say(&listener.local_addr().expect("it is bound").to_string());
        let router = Router::new().route("/", post(take)).with_state(Arc::new(self));
        axum::serve(listener, router).await.expect("serving has no end");
    }

    async fn build(self) {
        say("ready");
        let (broker, sizes) = (&self.broker, self.orders.sizes);
        let contexts = bucket_stream(&CONTEXTS);
        let of_inbox = broker.consume(&INBOX_EVENTS, BUILDER_CONCURRENCY, |note| {
            let contexts = &contexts;
            async move {
                let revision = broker.last(contexts, "$KV.contexts", note).await;
                let turn = Note { revision, ..note };
                broker.publish("turns", turn, sizes.turn, None).await;
            }
        });
        let of_contexts = broker.consume(&CONTEXT_EVENTS, BUILDER_CONCURRENCY, async |note| {
            broker.last(INBOX.name, "inbox", note).await;
        });
        tokio::join!(of_inbox, of_contexts);
    }

    async fn call(self) {
        say("ready");
        let (broker, sizes) = (&self.broker, self.orders.sizes);
        let this = &self;
        let work = broker.consume(&TURN_WORK, CALLER_CONCURRENCY, |turn| async move {
            this.post(&this.orders.backend_url, turn.body(sizes.webhook))
                .await;
            broker
                .publish("$KV.contexts", turn, sizes.context, Some(turn.revision))
                .await;
            broker.publish("deliveries", turn, sizes.delivery, None).await;
        });
        work.await;
    }

    async fn send_out(self) {
        say("ready");
        let (broker, sizes) = (&self.broker, self.orders.sizes);
        let this = &self;
        let work = broker.consume(&DELIVERY_WORK, OUT_CONCURRENCY, |delivery| async move {
            let last = broker.last(TRANSCRIPTS.name, "transcripts", delivery).await;
            this.post(&this.orders.callback_url, delivery.body(sizes.callback))
                .await;
            broker
                .publish("transcripts", delivery, sizes.transcript, Some(last))
                .await;
        });
        work.await;
    }

    async fn post(&self, url: &str, body: Bytes) {
        let answer = self
            .http
            .post(url)
            .body(body)
            .send()
            .await
            .expect("the fake answers");
        assert!(answer.status().is_success());
        answer.bytes().await.expect("the answer is whole");
    }
}

async fn take(State(stage): State<Arc<Stage>>, body: Bytes) -> (StatusCode, &'static str) {
    let Some(token) = Token::find_last(&body) else {
        return (StatusCode::BAD_REQUEST, "");
    };
    let note = Note { token, revision: 0 };
    let (broker, bytes) = (&stage.broker, stage.orders.sizes.inbox);
    let known = stage
        .newest
        .lock()
        .expect("no panic")
        .get(&token.conversation)
        .copied();
    let newest = match known {
        Some(newest) => newest,
        None => broker.last(INBOX.name, "inbox", note).await,
    };
    let sequence = broker.publish("inbox", note, bytes, Some(newest)).await;
    stage
        .newest
        .lock()
        .expect("no panic")
        .insert(token.conversation, sequence);
    (StatusCode::ACCEPTED, RECEIPT)
}

#[expect(
    clippy::print_stdout,
    reason = "the line by which a stage says that it is ready"
)]
fn say(line: &str) {
    println!("{line}");
}
