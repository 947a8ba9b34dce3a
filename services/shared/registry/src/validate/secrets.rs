//! Which secrets records may refer to.

use std::path::{Component, Path};

use super::Problem;
use crate::{HeaderValue, Integration, Manifest, SecretRef};

/// The references that records may hold. Whoever may write a record may have what it refers to sent to an address of
/// theirs, so this is what writing records is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedSecrets {
    /// References, and beginnings of some with `*` behind them. All are allowed when there are none.
    entries: Vec<String>,
}

impl AllowedSecrets {
    /// All are allowed.
    pub const ANY: Self = Self { entries: Vec::new() };

    /// Reads a list of references (`env:NAME`, `file:PATH`) with commas between them, each as it is or, with `*` at its
    /// end, all that begin so.
    ///
    /// # Errors
    /// What is wrong with the first entry that is no such thing.
    pub fn read(list: &str) -> Result<Self, String> {
        let entries: Vec<String> = list.split(',').map(|entry| entry.trim().to_owned()).collect();
        for (position, entry) in (1..).zip(&entries) {
            let is_reference = SecretRef::try_from(entry.clone()).is_ok();
            let is_whole = entry.find('*').is_none_or(|star| star + 1 == entry.len());
            if !is_reference || !is_whole || leads_elsewhere(entry) {
                // Which is not repeated: it may be a secret.
                return Err(format!(
                    "entry {position} must be env:NAME or file:PATH, without `..`, and may have a `*` at its end"
                ));
            }
        }
        Ok(Self { entries })
    }

    /// The same with one more.
    #[must_use]
    pub fn and(mut self, reference: &SecretRef) -> Self {
        if !self.entries.is_empty() {
            self.entries.push(reference.to_string());
        }
        self
    }

    /// The references of a manifest that are not allowed, each with its path.
    pub fn check(&self, manifest: &Manifest) -> Vec<Problem> {
        let refused = references(manifest)
            .into_iter()
            .filter(|(_, reference)| !self.allows(reference));
        let problem = |(path, reference): (String, &SecretRef)| Problem {
            path,
            message: format!(
                "{reference} is not among the secrets that may be referred to here: {}",
                self.entries.join(", ")
            ),
        };
        refused.map(problem).collect()
    }

    fn allows(&self, reference: &SecretRef) -> bool {
        let reference = reference.to_string();
        let fits = |entry: &String| match entry.strip_suffix('*') {
            Some(beginning) => reference.starts_with(beginning),
            None => reference == *entry,
        };
        self.entries.is_empty() || (!leads_elsewhere(&reference) && self.entries.iter().any(fits))
    }
}

/// Whether a path goes up again, out of the folder that it begins with.
fn leads_elsewhere(reference: &str) -> bool {
    reference.strip_prefix("file:").is_some_and(|path| {
        Path::new(path)
            .components()
            .any(|part| part == Component::ParentDir)
    })
}

/// Every reference in a manifest, with its path.
fn references(manifest: &Manifest) -> Vec<(String, &SecretRef)> {
    let mut found = Vec::new();
    for integration in &manifest.integrations {
        // All fields are named, so that a new one is thought of here.
        let Integration {
            id,
            url: _,
            format: _,
            headers,
            timeout: _,
            signing_secret,
            previous_signing_secret,
            client_certificate,
            limits: _,
            retry: _,
            revision: _,
        } = integration;
        let path = format!("integrations.{id}");
        for (name, value) in headers {
            if let HeaderValue::Secret { secret, .. } = value {
                found.push((format!("{path}.headers.{name}.secret"), secret));
            }
        }
        for (name, secret) in [
            ("signing_secret", signing_secret),
            ("previous_signing_secret", previous_signing_secret),
            ("client_certificate", client_certificate),
        ] {
            found.extend(secret.iter().map(|secret| (format!("{path}.{name}"), secret)));
        }
    }
    for connection in &manifest.connections {
        let kind = connection.channel.kind().as_str();
        let path = format!("connections.{}.channel.{kind}", connection.id);
        let secrets = connection.channel.secrets().into_iter();
        found.extend(secrets.map(|(name, secret)| (format!("{path}.{name}"), secret)));
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn allowed(entries: &[&str]) -> Result<AllowedSecrets, String> {
        AllowedSecrets::read(&entries.join(", "))
    }

    fn reference(text: &str) -> SecretRef {
        SecretRef::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn a_reference_is_allowed_as_it_is_or_by_how_it_begins() {
        let some = allowed(&["env:TOKEN", "env:BOT_*", "file:/run/bots/*"]).unwrap();
        for (text, is_allowed) in [
            ("env:TOKEN", true),
            ("env:TOKEN_2", false),
            ("env:BOT_1", true),
            ("env:MY_BOT_1", false),
            ("file:/run/bots/a/b", true),
            ("file:/run/bots/a..b", true),
            ("file:/run/bots", false),
            ("file:/run/bots/../nats/seed", false),
            ("file:/run/bots/a/..", false),
            ("file:/proc/self/environ", false),
            ("file:env:BOT_1", false),
        ] {
            assert_eq!(some.allows(&reference(text)), is_allowed, "{text}");
        }
        let playground = reference("env:PLAYGROUND");
        assert!(!some.allows(&playground) && some.and(&playground).allows(&playground));
        for any in [AllowedSecrets::ANY, AllowedSecrets::ANY.and(&playground)] {
            assert!(any.allows(&reference("file:/run/../etc/passwd")));
        }
    }

    #[test]
    fn an_entry_that_is_no_reference_is_refused_and_not_repeated() {
        for entry in [
            "",
            "hunter2",
            "env:",
            "env:*_HUNTER2",
            "file:/run/../hunter2/*",
            "*",
        ] {
            let error = allowed(&["env:A", entry]).unwrap_err();
            assert!(error.starts_with("entry 2 must be"), "{error}");
            assert!(!error.to_lowercase().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn every_reference_of_a_manifest_is_found() {
        let secret = |name: &str| format!("env:{name}");
        let channel = |id: &str, channel| json!({"id": id, "bot": "b", "channel": channel});
        let manifest = json!({
            "integrations": [{
                "id": "i",
                "url": "https://a.example/",
                "headers": {"x-plain": "env:NONE", "x-key": {"prefix": "K ", "secret": secret("A")}},
                "signing_secret": secret("B"),
                "previous_signing_secret": secret("C"),
                "client_certificate": secret("D"),
            }],
            "connections": [
                channel("w", json!({"http": {
                    "secrets": [secret("E"), secret("F")],
                    "callback_url": "https://a.example/",
                    "callback_secret": secret("G"),
                }})),
                channel("t", json!({"telegram": {"token": secret("H"), "webhook_secret": secret("I")}})),
                channel("s", json!({"slack": {"token": secret("J"), "signing_secret": secret("K")}})),
                channel("d", json!({"discord": {"token": secret("L"), "application_id": "1", "public_key": "2"}})),
            ],
        });
        let text = manifest.to_string();
        let manifest: Manifest = serde_json::from_value(manifest).unwrap();
        let problems = allowed(&["env:OTHER"]).unwrap().check(&manifest);
        let paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "integrations.i.headers.x-key.secret",
                "integrations.i.signing_secret",
                "integrations.i.previous_signing_secret",
                "integrations.i.client_certificate",
                "connections.w.channel.http.secrets",
                "connections.w.channel.http.secrets",
                "connections.w.channel.http.callback_secret",
                "connections.t.channel.telegram.token",
                "connections.t.channel.telegram.webhook_secret",
                "connections.s.channel.slack.token",
                "connections.s.channel.slack.signing_secret",
                "connections.d.channel.discord.token",
            ]
        );
        let references = text.matches("\"env:").count() - 1;
        assert_eq!(problems.len(), references, "{text}");
        assert!(
            problems[0].message.ends_with("referred to here: env:OTHER"),
            "{}",
            problems[0]
        );
        assert_eq!(AllowedSecrets::ANY.check(&manifest), []);
    }
}
