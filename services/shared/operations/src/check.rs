//! Whether a configuration may be stored.

use std::collections::{BTreeMap, BTreeSet};

use bus::{Bus, BusError};
use proto_schemas::subjects;
use proto_schemas::topology::{REGISTRY, bucket_stream};
use registry::{
    Bot, Connection, Integration, Manifest, Problem, check_gateways, check_manifest, reads_gateways,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Record;
use crate::record::integrations_of;

/// Reads a manifest or a record, and names the keys in it that mean nothing: they are typing errors.
///
/// # Errors
/// [`serde_json::Error`] when it is something else.
pub fn read<T: DeserializeOwned>(document: Value) -> Result<(T, Vec<Problem>), serde_json::Error> {
    let mut unknown = Vec::new();
    let note = |path: serde_ignored::Path<'_>| {
        unknown.push(Problem {
            // An optional part is a step of its own in the path, which nobody has written.
            path: path.to_string().replace(".?", ""),
            message: "unknown key".to_owned(),
        });
    };
    let read = serde_ignored::deserialize(document, note)?;
    Ok((read, unknown))
}

/// The rules that a manifest breaks. What it refers to may be stored already.
///
/// # Errors
/// [`BusError`] when the broker is away or refuses.
pub async fn check(bus: &Bus, manifest: &Manifest) -> Result<Vec<Problem>, BusError> {
    let (bots, integrations) = named_by(manifest);
    let bots = stored::<Bot>(bus, bots).await?;
    let integrations = stored::<Integration>(bus, integrations).await?;
    let mut problems = check_manifest(manifest, &bots, &integrations);
    // Few manifests have one, so that few have all connections read.
    if reads_gateways(manifest) {
        problems.extend(check_gateways(manifest, &connections(bus).await?));
    }
    Ok(problems)
}

/// The bots and the integrations that a manifest refers to.
pub fn named_by(manifest: &Manifest) -> (BTreeSet<&str>, BTreeSet<&str>) {
    let connections = manifest.connections.iter();
    let bots = connections.map(|connection| connection.bot.as_str());
    let integrations = manifest.bots.iter().flat_map(integrations_of);
    (bots.collect(), integrations.collect())
}

/// All connections, as they are stored now.
async fn connections(bus: &Bus) -> Result<Vec<Connection>, BusError> {
    let mut newest = BTreeMap::new();
    let subject = subjects::key(REGISTRY.name, &Connection::key("*"));
    bus.each(&bucket_stream(&REGISTRY), &subject, 1, |entry| {
        newest.insert(entry.subject.clone(), entry);
    })
    .await?;
    let present = newest.into_values().filter(|entry| !entry.is_removal());
    // What cannot be read was written by a later build.
    Ok(present.filter_map(|entry| entry.decode().ok()).collect())
}

async fn stored<T: Record>(bus: &Bus, ids: BTreeSet<&str>) -> Result<BTreeSet<String>, BusError> {
    let mut stored = BTreeSet::new();
    for id in ids {
        let subject = subjects::key(REGISTRY.name, &T::key(id));
        let last = bus.last(&bucket_stream(&REGISTRY), &subject).await?;
        if last.is_some_and(|entry| !entry.is_removal()) {
            stored.insert(id.to_owned());
        }
    }
    Ok(stored)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown_keys(manifest: Value) -> Vec<String> {
        let (_, unknown) = read::<Manifest>(manifest).unwrap();
        unknown.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_misspelt_key_is_named_with_its_path() {
        let manifest = serde_json::json!({"integrations": [
            {"id": "echo", "url": "https://a.example/", "timeot": "3s", "limits": {"per_secnd": 3}}]});
        assert_eq!(
            unknown_keys(manifest),
            [
                "integrations.0.timeot: unknown key",
                "integrations.0.limits.per_secnd: unknown key"
            ]
        );
    }

    #[test]
    fn a_misspelt_setting_of_a_format_or_a_split_is_named_with_its_path() {
        let format = serde_json::json!({"integrations": [{"id": "gpt", "url": "https://a.example/",
            "format": {"openai": {"model": "m", "temprature": 1}}}]});
        let split = serde_json::json!({"bots": [
            {"id": "b", "name": "B", "split": {"arms": [{"integration": "i", "wieght": 3}]}}]});
        assert_eq!(
            [unknown_keys(format), unknown_keys(split)].concat(),
            [
                "integrations.0.format.openai.temprature: unknown key",
                "bots.0.split.arms.0.wieght: unknown key"
            ]
        );
    }

    #[test]
    fn a_secret_in_the_clear_is_refused_without_repeating_it() {
        let manifest = serde_json::json!({"integrations": [
            {"id": "e", "url": "https://a.example/", "signing_secret": "whsec_abcdef"}]});
        let error = read::<Manifest>(manifest).unwrap_err().to_string();
        assert!(
            error.contains("by reference") && !error.contains("abcdef"),
            "{error}"
        );
    }
}
