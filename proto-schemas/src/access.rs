//! What each service may do with the broker, as data: one user for each, with no more rights than it needs.
//!
//! `deploy/nats/auth.conf` is made of it ([`server_template`]), and a service without the right to create asks only for
//! what stands here to be there.

mod server;
mod users;

use std::collections::BTreeSet;

use crate::topology::{ATTACHMENTS, BUCKETS, BucketSpec, CONSUMERS, ConsumerSpec, STREAMS, bucket_stream};

pub use server::{ADMIN, key_variable, server_config, server_template};
pub use users::{BACKUP, BOOTSTRAP, FORGETTING, OPERATOR, USERS, user};

/// What a user does with the object store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileAccess {
    /// Nothing.
    None,
    /// Reads files.
    Reads,
    /// Reads and stores files.
    Stores,
}

/// A user of the broker. What it does gives the subjects that it may publish to and subscribe to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// Its name: the service's, which is also the connection's name and part of its inbox.
    pub name: &'static str,
    /// Subjects it publishes to: of streams, of buckets, of hints and questions.
    pub sends: &'static [&'static str],
    /// Subjects it hears past all streams, as one of the queue group of its own name.
    pub hears: &'static [&'static str],
    /// Whether it answers what it hears.
    pub answers: bool,
    /// Streams and subjects of which it reads the newest message.
    pub looks_up: &'static [(&'static str, &'static str)],
    /// Streams it reads from any place on.
    pub searches: &'static [&'static str],
    /// Consumers whose work it takes.
    pub works: &'static [ConsumerSpec],
    /// Consumers whose state it asks for.
    pub measures: &'static [ConsumerSpec],
    /// Buckets it follows.
    pub follows: &'static [BucketSpec],
    /// What it does with files.
    pub files: FileAccess,
    /// Streams it removes single messages from.
    pub removes_from: &'static [&'static str],
    /// Streams of which it removes all that a subject holds.
    pub purges: &'static [&'static str],
    /// Buckets it makes again when they are gone with the memory of their server.
    pub remakes: &'static [BucketSpec],
    /// Whether it copies whole streams, as a backup.
    pub copies: bool,
    /// Whether it creates and changes streams, buckets and consumers, and puts back what was copied.
    pub creates: bool,
}

impl User {
    /// The beginning of the subjects on which it gets answers.
    pub fn inbox(&self) -> String {
        inbox_prefix(self.name)
    }

    /// The subjects that it may subscribe to, with the queue group if there has to be one.
    pub fn subscribes(&self) -> Vec<String> {
        let heard = self
            .hears
            .iter()
            .map(|subject| format!("{subject} {}", self.name));
        [format!("{}.>", self.inbox())].into_iter().chain(heard).collect()
    }

    /// The subjects that it may publish to.
    pub fn publishes(&self) -> Vec<String> {
        let own = self.sends.iter().map(|&subject| subject.to_owned());
        let of_streams = self
            .streams()
            .into_iter()
            .map(|stream| format!("$JS.API.STREAM.INFO.{stream}"));
        let mut all: Vec<String> = own.chain(of_streams).collect();
        all.extend(self.reading());
        all.extend(self.working());
        all.extend(self.making());
        all
    }

    /// The streams behind all that it touches. Whatever it does, it has to find them.
    pub fn streams(&self) -> BTreeSet<String> {
        let sent = self.sends.iter().filter_map(|subject| stream_of(subject));
        let looked_up = self.looks_up.iter().map(|(stream, _)| (*stream).to_owned());
        let named = self.searches.iter().chain(self.removes_from).chain(self.purges);
        let worked = self
            .works
            .iter()
            .chain(self.measures)
            .map(|spec| spec.stream.to_owned());
        let buckets = self.follows.iter().chain(self.remakes).map(bucket_stream);
        let files = (self.files != FileAccess::None).then(files_stream);
        let mut streams: BTreeSet<String> = sent
            .chain(looked_up)
            .chain(worked)
            .chain(buckets)
            .chain(files)
            .collect();
        streams.extend(named.map(|&stream| stream.to_owned()));
        if self.copies {
            streams.extend(lasting_streams());
        }
        if self.creates {
            streams.extend(all_streams());
        }
        streams
    }

    /// The consumers that it has to find.
    pub fn consumers(&self) -> impl Iterator<Item = &'static ConsumerSpec> {
        self.works.iter().chain(self.measures)
    }

    fn reading(&self) -> Vec<String> {
        let looked_up = self
            .looks_up
            .iter()
            .map(|(stream, subject)| format!("$JS.API.DIRECT.GET.{stream}.{subject}"));
        let searched = self.searches.iter().map(|&stream| stream.to_owned());
        let files = (self.files != FileAccess::None).then(files_stream);
        let searched = searched.chain(files).flat_map(|stream| {
            let literal = format!("$JS.API.DIRECT.GET.{stream}.>");
            [format!("$JS.API.DIRECT.GET.{stream}"), literal]
        });
        let followed = self.follows.iter().map(bucket_stream).flat_map(|stream| {
            [
                format!("$JS.API.CONSUMER.CREATE.{stream}"),
                format!("$JS.API.CONSUMER.CREATE.{stream}.>"),
                format!("$JS.API.CONSUMER.DELETE.{stream}.*"),
                format!("$JS.FC.{stream}.>"),
            ]
        });
        looked_up.chain(searched).chain(followed).collect()
    }

    fn working(&self) -> Vec<String> {
        let worked = self.works.iter().flat_map(|ConsumerSpec { stream, name, .. }| {
            [
                format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}"),
                format!("$JS.ACK.{stream}.{name}.>"),
            ]
        });
        let found = self
            .consumers()
            .map(|spec| format!("$JS.API.CONSUMER.INFO.{}.{}", spec.stream, spec.name));
        let removed = self
            .removes_from
            .iter()
            .map(|stream| format!("$JS.API.STREAM.MSG.DELETE.{stream}"));
        let purged = self
            .purges
            .iter()
            .map(|stream| format!("$JS.API.STREAM.PURGE.{stream}"));
        worked.chain(found).chain(removed).chain(purged).collect()
    }

    fn making(&self) -> Vec<String> {
        let mut made = Vec::new();
        if self.files == FileAccess::Stores {
            let (store, stream) = (ATTACHMENTS.name, files_stream());
            made.extend([format!("$O.{store}.C.*"), format!("$O.{store}.M.*")]);
            // A file that is stored anew takes the place of its old chunks.
            made.push(format!("$JS.API.STREAM.PURGE.{stream}"));
        }
        if self.creates || !self.remakes.is_empty() {
            // What the client asks before it creates a bucket: the account's limits.
            made.push("$JS.API.INFO".to_owned());
        }
        made.extend(
            self.remakes
                .iter()
                .map(|bucket| format!("$JS.API.STREAM.CREATE.{}", bucket_stream(bucket))),
        );
        if self.copies {
            made.extend(["LIST", "NAMES"].map(|verb| format!("$JS.API.STREAM.{verb}")));
            // A piece is sent when the one before it is acknowledged.
            made.extend(lasting_streams().flat_map(|stream| {
                [
                    format!("$JS.API.STREAM.SNAPSHOT.{stream}"),
                    format!("$JS.SNAPSHOT.ACK.{stream}.>"),
                ]
            }));
        }
        if self.creates {
            made.push("$JS.API.STREAM.NAMES".to_owned());
            made.extend(lasting_streams().flat_map(|stream| {
                [
                    format!("$JS.API.STREAM.RESTORE.{stream}"),
                    format!("$JS.SNAPSHOT.RESTORE.{stream}.*"),
                ]
            }));
            for stream in all_streams() {
                made.extend(["CREATE", "UPDATE"].map(|verb| format!("$JS.API.STREAM.{verb}.{stream}")));
            }
            for ConsumerSpec { stream, name, .. } in CONSUMERS {
                made.extend(
                    ["CREATE", "INFO"].map(|verb| format!("$JS.API.CONSUMER.{verb}.{stream}.{name}")),
                );
            }
        }
        made
    }
}

/// The beginning of the subjects on which a client of this name gets answers. Others may not listen there.
pub fn inbox_prefix(name: &str) -> String {
    format!("_INBOX_{name}")
}

/// Every stream there is, also behind buckets and the object store.
pub fn all_streams() -> impl Iterator<Item = String> {
    let streams = STREAMS.iter().map(|stream| stream.name.to_owned());
    streams
        .chain(BUCKETS.iter().map(bucket_stream))
        .chain([files_stream()])
}

/// Every stream that outlives its server: what a backup is made of. The server copies none that is in memory.
pub fn lasting_streams() -> impl Iterator<Item = String> {
    let in_memory = |stream: &String| {
        let mut fleeting = BUCKETS.iter().filter(|bucket| bucket.in_memory);
        fleeting.any(|bucket| bucket_stream(bucket) == *stream)
    };
    all_streams().filter(move |stream| !in_memory(stream))
}

fn files_stream() -> String {
    format!("OBJ_{}", ATTACHMENTS.name)
}

/// The stream that keeps what is published to a subject; none when nobody does.
fn stream_of(subject: &str) -> Option<String> {
    let mut tokens = subject.split('.');
    let first = tokens.next()?;
    if first == "$KV" {
        return tokens.next().map(|bucket| format!("KV_{bucket}"));
    }
    let takes = |pattern: &&str| pattern.split('.').next() == Some(first);
    let stream = STREAMS.iter().find(|stream| stream.subjects.iter().any(takes));
    stream.map(|stream| stream.name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dead_letter::Stage;
    use crate::topology::{CONTEXTS, INBOX};

    #[test]
    fn every_service_has_a_user() {
        for stage in Stage::ALL {
            assert!(user(stage.as_str()).is_some(), "{stage:?}");
        }
        for name in ["console", OPERATOR, FORGETTING, BACKUP, BOOTSTRAP] {
            assert!(user(name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_service_finds_the_streams_that_it_touches_and_no_others() {
        let builder = user("context-builder").unwrap().streams();
        let expected = [
            "DEAD_LETTERS",
            "FETCHES",
            "INBOX",
            "KV_contexts",
            "KV_registry",
            "OBJ_attachments",
            "TURNS",
        ];
        assert_eq!(builder.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn every_stream_that_is_named_exists() {
        let all: BTreeSet<String> = all_streams().collect();
        for user in &USERS {
            let unknown: Vec<_> = user.streams().difference(&all).cloned().collect();
            assert!(unknown.is_empty(), "{}: {unknown:?}", user.name);
        }
    }

    #[test]
    fn only_bootstrap_creates_changes_or_empties_streams() {
        for user in USERS.iter().filter(|user| user.name != BOOTSTRAP) {
            let manages = |subject: &String| {
                let verbs = ["CREATE", "UPDATE", "DELETE", "PURGE", "RESTORE"];
                let managing = verbs.map(|verb| format!("$JS.API.STREAM.{verb}"));
                managing.iter().any(|verb| subject.starts_with(verb))
            };
            let managed: Vec<_> = user.publishes().into_iter().filter(manages).collect();
            // What is stored anew replaces its old chunks, the bucket in memory is made again, and buckets let nothing be
            // removed in another way.
            let excused: &[&str] = if user.name == FORGETTING {
                &[
                    "$JS.API.STREAM.PURGE.KV_progress",
                    "$JS.API.STREAM.PURGE.OBJ_attachments",
                ]
            } else {
                &[
                    "$JS.API.STREAM.PURGE.OBJ_attachments",
                    "$JS.API.STREAM.CREATE.KV_limits",
                ]
            };
            assert!(
                managed.iter().all(|subject| excused.contains(&subject.as_str())),
                "{}: {managed:?}",
                user.name
            );
        }
    }

    #[test]
    fn a_subject_belongs_to_its_stream() {
        assert_eq!(stream_of("inbox.*").as_deref(), Some(INBOX.name));
        assert_eq!(stream_of("$KV.contexts.*"), Some(bucket_stream(&CONTEXTS)));
        assert_eq!(stream_of("typing.*"), None);
    }
}
