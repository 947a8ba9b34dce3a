//! What is there of the topology, asked without the right to create any of it.

use std::collections::BTreeMap;

use bytes::Bytes;
use proto_schemas::access::{User, all_streams};
use proto_schemas::topology::{CONSUMERS, ConsumerSpec};
use serde::Deserialize;
use serde_json::Value;

use crate::publish::{Failure, request_failure};
use crate::{Bus, BusError};

/// "stream not found" and "consumer not found".
const NOT_FOUND: [u64; 2] = [10059, 10014];

/// Streams and consumers by name, each as the broker says that it is configured.
pub type Parts = BTreeMap<String, Value>;

/// Why a user without the right to create cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum Incomplete {
    /// Parts of the topology are not there.
    #[error("the broker has no {}: `chatbot bootstrap` creates what is missing", .0.join(", "))]
    Missing(Vec<String>),
    /// The broker cannot be asked.
    #[error(transparent)]
    Bus(#[from] BusError),
}

#[derive(Deserialize)]
struct Described {
    #[serde(default)]
    config: Value,
    error: Option<Failure>,
}

impl Bus {
    /// What is there of the whole topology.
    ///
    /// # Errors
    /// [`BusError`] when the broker is away or refuses.
    pub async fn parts(&self) -> Result<Parts, BusError> {
        self.described(all_streams(), CONSUMERS.iter()).await
    }

    /// Whether all is there that a user touches.
    ///
    /// # Errors
    /// [`Incomplete`] naming what is missing.
    pub async fn find_topology(&self, user: &User) -> Result<(), Incomplete> {
        let wanted = || user.streams().into_iter();
        let found = self.described(wanted(), user.consumers()).await?;
        let consumers = user.consumers().map(consumer_name);
        let missing: Vec<String> = wanted()
            .chain(consumers)
            .filter(|name| !found.contains_key(name))
            .collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(Incomplete::Missing(missing))
        }
    }

    async fn described(
        &self,
        streams: impl Iterator<Item = String>,
        consumers: impl Iterator<Item = &ConsumerSpec>,
    ) -> Result<Parts, BusError> {
        let mut found = Parts::new();
        let streams = streams.map(|name| (format!("STREAM.INFO.{name}"), name));
        let consumers = consumers.map(|spec| {
            let question = format!("CONSUMER.INFO.{}.{}", spec.stream, spec.name);
            (question, consumer_name(spec))
        });
        for (question, name) in streams.chain(consumers) {
            if let Some(config) = self.configuration(&question).await? {
                found.insert(name, config);
            }
        }
        Ok(found)
    }

    async fn configuration(&self, question: &str) -> Result<Option<Value>, BusError> {
        self.check_connected()?;
        let answer = self
            .client
            .request(format!("$JS.API.{question}"), Bytes::new())
            .await
            .map_err(|error| request_failure(error.kind(), &error))?;
        let described: Described = serde_json::from_slice(&answer.payload)
            .map_err(|error| BusError::Unavailable(format!("unreadable answer to {question}: {error}")))?;
        match described.error.map(BusError::from) {
            None => Ok(Some(described.config)),
            Some(BusError::Refused { code, .. }) if NOT_FOUND.contains(&code) => Ok(None),
            Some(error) => Err(error),
        }
    }
}

fn consumer_name(spec: &ConsumerSpec) -> String {
    format!("{}/{}", spec.stream, spec.name)
}
