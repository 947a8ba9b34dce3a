//! A manifest over the admin API: a record at a time, in an order in which each finds what it refers to.

use std::collections::BTreeSet;

use operations::{Record, named_by};
use registry::{Bot, Integration, Manifest, Problem, check_manifest};
use serde_json::Value;

use crate::Failure;
use crate::server::{Refusal, Server, Trouble};

/// The rules that a manifest breaks. What it refers to may be stored already.
pub(super) async fn check(server: &Server, manifest: &Manifest) -> Result<Vec<Problem>, Failure> {
    let (bots, integrations) = named_by(manifest);
    let bots = stored::<Bot>(server, &bots).await?;
    let integrations = stored::<Integration>(server, &integrations).await?;
    Ok(check_manifest(manifest, &bots, &integrations))
}

/// Stores all records, each over the revision that is there just before, and tells everything that was refused.
pub(super) async fn store(server: &Server, manifest: &Manifest) -> Result<(), Failure> {
    let mut refused = Vec::new();
    put_all(server, &manifest.integrations, &mut refused).await?;
    put_all(server, &manifest.bots, &mut refused).await?;
    put_all(server, &manifest.connections, &mut refused).await?;
    if refused.is_empty() {
        return Ok(());
    }
    let refused: Vec<String> = refused
        .iter()
        .map(|(key, refusal)| format!("{key}: {refusal}"))
        .collect();
    Err(Failure(format!(
        "the console refused, and stored the rest:\n  {}",
        refused.join("\n  ")
    )))
}

async fn put_all<T: Record>(
    server: &Server,
    records: &[T],
    refused: &mut Vec<(String, Refusal)>,
) -> Result<(), Failure> {
    for record in records {
        match put(server, record).await {
            Ok(()) => {}
            Err(Trouble::Refused(refusal)) => refused.push((T::key(record.id()), refusal)),
            Err(Trouble::Failed(failure)) => return Err(failure),
        }
    }
    Ok(())
}

async fn put<T: Record>(server: &Server, record: &T) -> Result<(), Trouble> {
    let path = format!("/v1/{}/{}", T::KIND, record.id());
    let seen = server.find::<Value>(&path).await?;
    let tag = seen.and_then(|seen| seen.tag);
    server.put(&path, record, tag.as_deref()).await
}

async fn stored<T: Record>(server: &Server, ids: &BTreeSet<&str>) -> Result<BTreeSet<String>, Failure> {
    let mut stored = BTreeSet::new();
    for id in ids {
        let found = server.find::<Value>(&format!("/v1/{}/{id}", T::KIND)).await?;
        if found.is_some() {
            stored.insert((*id).to_owned());
        }
    }
    Ok(stored)
}
