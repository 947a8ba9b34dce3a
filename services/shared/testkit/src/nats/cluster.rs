//! Three nats-servers that are one broker.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::timeout;

use super::{NatsServer, free_port};
use crate::condition::{PATIENCE, wait_until};

/// With one of them gone the other two are a majority.
const NODES: usize = 3;
/// A node that knows of no leader may not answer at all.
const ANSWER: Duration = Duration::from_secs(1);

/// A cluster. Dropped, its nodes are killed.
#[derive(Debug)]
pub struct NatsCluster {
    nodes: Vec<NatsServer>,
}

impl NatsCluster {
    /// Starts three nodes and waits until each knows a leader, and streams can have copies on all.
    ///
    /// # Panics
    /// As [`NatsServer::start`], and when they do not find each other.
    pub async fn start() -> Self {
        let ports: [u16; NODES] = std::array::from_fn(|_| free_port());
        let routes = ports.map(|port| format!("nats://127.0.0.1:{port}")).join(", ");
        let configure = |(number, port): (usize, &u16)| {
            format!(
                "server_name: {}\n\
                 cluster {{ name: tests, listen: \"127.0.0.1:{port}\", routes: [{routes}] }}\n",
                name(number)
            )
        };
        let configurations: Vec<String> = ports.iter().enumerate().map(configure).collect();
        let starting = configurations
            .iter()
            .map(|configuration| NatsServer::start_with(configuration));
        let nodes = join_all(starting).await;
        for node in &nodes {
            wait_until(PATIENCE, "the node to know a leader", async || {
                node.has_leader().await
            })
            .await;
        }
        wait_until(PATIENCE, "the leader to know all nodes", async || {
            timeout(ANSWER, nodes[0].takes_copies())
                .await
                .is_ok_and(|takes| takes)
        })
        .await;
        Self { nodes }
    }

    /// The addresses of all nodes, separated by commas.
    pub fn url(&self) -> String {
        let urls: Vec<&str> = self.nodes.iter().map(NatsServer::url).collect();
        urls.join(",")
    }

    /// The node that leads a stream, and the others.
    ///
    /// # Panics
    /// When the stream has no leader.
    pub async fn into_leader_and_followers(mut self, stream: &str) -> (NatsServer, Vec<NatsServer>) {
        let question = format!("$JS.API.STREAM.INFO.{stream}");
        let info = self.nodes[0].request(&question, &json!({})).await;
        let leads = |number: &usize| info["cluster"]["leader"] == name(*number);
        let leader = (0..NODES).find(leads).expect("some node leads the stream");
        (self.nodes.remove(leader), self.nodes)
    }

    /// The nodes, to be broken one by one.
    pub fn into_nodes(self) -> Vec<NatsServer> {
        self.nodes
    }
}

fn name(number: usize) -> String {
    format!("node-{number}")
}

impl NatsServer {
    async fn has_leader(&self) -> bool {
        let asked = timeout(ANSWER, self.request("$JS.API.STREAM.NAMES", &json!({}))).await;
        asked.is_ok_and(|answer| answer["error"].is_null())
    }

    /// Whether a stream with a copy on each node can be created; it is removed again.
    async fn takes_copies(&self) -> bool {
        let probe = json!({ "name": "probe", "subjects": ["probe"], "num_replicas": NODES });
        let created = self.request("$JS.API.STREAM.CREATE.probe", &probe).await;
        let removed = self.request("$JS.API.STREAM.DELETE.probe", &json!({})).await;
        created["error"].is_null() && removed["error"].is_null()
    }
}
