//! One reader for each Gateway of Discord: two readers of one bot's would answer everything twice.

use std::collections::BTreeSet;

use super::{Problem, Report};
use crate::{Connection, ConnectionChannel, Manifest};

/// The connections of a manifest that read the Gateway of an application which one of `stored` reads already. What the
/// manifest replaces does not count.
pub fn check_gateways(manifest: &Manifest, stored: &[Connection]) -> Vec<Problem> {
    let replaced: BTreeSet<&str> = manifest.connections.iter().map(|one| one.id.as_str()).collect();
    let others = stored.iter().filter(|one| !replaced.contains(one.id.as_str()));
    let mut report = Report::default();
    report.gateways(&manifest.connections, others.filter_map(application).collect());
    report.problems
}

/// Whether a manifest has a connection that reads a Gateway.
pub fn reads_gateways(manifest: &Manifest) -> bool {
    manifest.connections.iter().any(|one| application(one).is_some())
}

impl Report {
    /// Names the readers of Gateways that are `taken`, or read by a connection before them.
    pub(super) fn gateways<'a>(&mut self, connections: &'a [Connection], mut taken: BTreeSet<&'a str>) {
        for connection in connections {
            if application(connection).is_some_and(|application| !taken.insert(application)) {
                self.add(
                    format!("connections.{}.channel.discord.gateway", connection.id),
                    "another connection reads the Gateway of this application".to_owned(),
                );
            }
        }
    }
}

/// The application whose Gateway a connection reads.
fn application(connection: &Connection) -> Option<&str> {
    match &connection.channel {
        ConnectionChannel::Discord(discord) => {
            let reads = discord.gateway.is_some();
            reads.then_some(discord.application_id.as_str())
        }
        ConnectionChannel::Telegram(_) | ConnectionChannel::Slack(_) | ConnectionChannel::Http(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::check_manifest;

    fn connection(id: &str, reads: bool) -> Value {
        let mut discord = json!({"token": "env:T", "application_id": "7", "public_key": "ab".repeat(32)});
        if reads {
            discord["gateway"] = json!({});
        }
        json!({"id": id, "bot": "b", "channel": {"discord": discord}})
    }

    fn manifest(connections: &[Value]) -> Manifest {
        serde_json::from_value(json!({"connections": connections})).unwrap()
    }

    fn paths(problems: Vec<Problem>) -> Vec<String> {
        problems.into_iter().map(|problem| problem.path).collect()
    }

    #[test]
    fn one_connection_reads_the_gateway_of_an_application() {
        let check = |connections: &[Value]| {
            let bots = BTreeSet::from(["b".to_owned()]);
            paths(check_manifest(&manifest(connections), &bots, &BTreeSet::new()))
        };
        assert_eq!(check(&[connection("a", true), connection("c", false)]), [""; 0]);
        assert_eq!(
            check(&[connection("a", true), connection("c", true)]),
            ["connections.c.channel.discord.gateway"]
        );
    }

    #[test]
    fn a_stored_connection_reads_its_gateway_unless_it_is_replaced() {
        let stored = manifest(&[connection("a", true)]).connections;
        let check = |connections: &[Value]| paths(check_gateways(&manifest(connections), &stored));
        assert_eq!(
            check(&[connection("c", true)]),
            ["connections.c.channel.discord.gateway"]
        );
        assert_eq!(check(&[connection("c", false)]), [""; 0]);
        assert_eq!(check(&[connection("a", true)]), [""; 0]);
        assert_eq!(check(&[connection("a", false), connection("c", true)]), [""; 0]);
    }
}
