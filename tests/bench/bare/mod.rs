//! The yardstick: as many publishes, reads, acknowledgements and HTTP requests as a usual turn has, over the same
//! streams, in as many processes, and nothing else: no parsing, no signature, no decision, no log, no metric.
//!
//! | of a turn | publishes, confirmed | reads | deliveries with their ack | HTTP requests |
//! |---|---|---|---|---|
//! | ingress | inbox | | | taken: the push |
//! | context-builder, of an inbox entry | turn | context, inbox from its entry on | inbox | |
//! | context-builder, of a context's revision | | inbox behind its cursor | context | |
//! | webhook-caller | context (compare-and-set), delivery | | turn | made: the webhook |
//! | egress | transcript | the last transcript | delivery | made: the callback |
//! | all | 5 | 4 | 4 | 3 |
//!
//! Counted from the stages' sources, for a turn whose work nobody handled before and which is handled within a
//! second. Payloads are as large as those of the platform's run before it.

mod broker;
mod stages;

use std::net::SocketAddr;
use std::process::Stdio;
use std::rc::Rc;

use serde::{Deserialize, Serialize};
use testkit::nats::NatsServer;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

pub(crate) use self::stages::run;
use crate::chain::{Chain, connect};
use crate::cpu::Watched;
use crate::driver::Door;

/// The stages, in the order of a turn.
pub(crate) const STAGES: [&str; 4] = ["bare-in", "bare-builder", "bare-caller", "bare-out"];

/// The sizes of what a turn publishes and sends, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sizes {
    pub(crate) inbox: usize,
    pub(crate) turn: usize,
    pub(crate) context: usize,
    pub(crate) delivery: usize,
    pub(crate) transcript: usize,
    pub(crate) webhook: usize,
    pub(crate) callback: usize,
}

/// What a stage's process is told, as JSON in its arguments.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Orders {
    pub(crate) stage: String,
    pub(crate) nats_url: String,
    pub(crate) backend_url: String,
    pub(crate) callback_url: String,
    pub(crate) sizes: Sizes,
}

/// Starts the stages on a broker and waits until they are ready.
pub(crate) async fn start(
    nats: Rc<NatsServer>,
    backend_url: &str,
    callback_url: &str,
    sizes: Sizes,
) -> Chain {
    drop(connect(&nats).await);
    let mut processes = Vec::new();
    let mut parts: Vec<Box<dyn std::any::Any>> = Vec::new();
    let mut address = None;
    for stage in STAGES {
        let orders = Orders {
            stage: stage.to_owned(),
            nats_url: nats.url().to_owned(),
            backend_url: backend_url.to_owned(),
            callback_url: callback_url.to_owned(),
            sizes,
        };
        let (child, line) = launch(&orders).await;
        address = address.or(line.parse::<SocketAddr>().ok());
        let pid = child.id().expect("it has just said that it is ready");
        processes.push(Watched {
            name: stage.to_owned(),
            pid,
        });
        parts.push(Box::new(child));
    }
    processes.push(Watched {
        name: "nats-server".to_owned(),
        pid: nats.pid(),
    });
    Chain {
        door: Door {
            address: address.expect("the first stage listens"),
            path: |conversation| format!("/{conversation}"),
            secret: testkit::callback::new_secret("bare"),
        },
        processes,
        _parts: parts,
        nats,
    }
}

/// Starts a stage; returns the line by which it says that it is ready: the address where it listens, if it does.
async fn launch(orders: &Orders) -> (tokio::process::Child, String) {
    let executable = std::env::current_exe().expect("this executable has a path");
    let orders = serde_json::to_string(orders).expect("a struct of texts and numbers");
    let mut command = Command::new(executable);
    command
        .args(["--bare", &orders])
        .kill_on_drop(true)
        .stdout(Stdio::piped());
    let mut child = command.spawn().expect("this executable starts");
    let output = child.stdout.as_mut().expect("its output is piped");
    let mut line = String::new();
    let read = BufReader::new(output).read_line(&mut line).await;
    assert!(read.is_ok_and(|bytes| bytes > 0), "a bare stage did not start");
    (child, line.trim().to_owned())
}
