//! The yardstick: as many publishes, reads, acknowledgements and HTTP requests as a usual turn has, over the same
//! streams, in as many processes, and nothing else: no parsing, no signature, no decision, no log, no metric.
//!
//! | of a turn | publishes, confirmed | reads, each of a subject's last message | deliveries with their ack | HTTP requests |
//! |---|---|---|---|---|
//! | ingress | inbox (compare-and-set) | | | taken: the push |
//! | context-builder, of an inbox entry | turn | context | inbox | |
//! | context-builder, of a context's revision | | inbox | context, headers only | |
//! | webhook-caller | context (compare-and-set), delivery | | turn | made: the webhook |
//! | egress | transcript (compare-and-set) | transcript | delivery | made: the callback |
//! | all | 5 | 3 | 4 | 3 |
//!
//! Counted from the stages' sources, for a usual turn: its conversation is idle, nobody handled its work before,
//! and each step is taken within a second. Ingress reads an inbox before the first message that it takes for it.
//! Left out, because few turns have it: it reads inbox and context before a conversation's 5th message and every
//! 20 later. In a closed loop some messages arrive before the turn before
//! theirs has left its slot, and then the platform reads more.
//!
//! Payloads are as large as those of the platform's run before it, subjects and identities as long and as far
//! apart, and a stage runs on one thread, as a service does.

mod broker;
mod stages;

use std::any::Any;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::process::Stdio;

use serde::{Deserialize, Serialize};
use testkit::callback::new_secret;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

pub(crate) use self::stages::run;
use crate::chain::Chain;
use crate::cpu::Watched;
use crate::door::HttpDoor;
use crate::sizes::Sizes;

/// The stages, in the order of a turn.
pub(crate) const STAGES: [&str; 4] = ["bare-in", "bare-builder", "bare-caller", "bare-out"];

/// What a stage's process is told, as JSON in its arguments.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Orders {
    pub(crate) stage: String,
    pub(crate) nats_url: String,
    pub(crate) backend_url: String,
    pub(crate) callback_url: String,
    pub(crate) sizes: Sizes,
}

/// Starts the stages and waits until they are ready. The topology is there.
pub(crate) async fn start(
    nats_url: &str,
    backend_url: &str,
    callback_url: &str,
    sizes: Sizes,
) -> (Chain, HttpDoor) {
    let (mut processes, mut guards, mut address) = (Vec::new(), Vec::new(), None);
    for stage in STAGES {
        let orders = Orders {
            stage: stage.to_owned(),
            nats_url: nats_url.to_owned(),
            backend_url: backend_url.to_owned(),
            callback_url: callback_url.to_owned(),
            sizes,
        };
        let (child, line) = launch(&orders).await;
        address = address.or(line.parse::<SocketAddr>().ok());
        let pid = child.id().expect("it has just said that it is ready");
        processes.push(Watched::new(stage, pid));
        guards.push(Box::new(child) as Box<dyn Any>);
    }
    let door = HttpDoor {
        address: address.expect("the first stage listens"),
        path: Box::new(|_| "/".to_owned()),
        secret: new_secret("bare"),
        idle: RefCell::default(),
    };
    let chain = Chain {
        name: "bare",
        processes,
        _guards: guards,
    };
    (chain, door)
}

/// Starts a stage; returns the line by which it says that it is ready: the address where it listens, if it does.
async fn launch(orders: &Orders) -> (Child, String) {
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
