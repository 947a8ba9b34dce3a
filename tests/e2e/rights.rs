//! Each user of the broker may do what its service does, and nothing else: asked of a real server, by its client.

mod table;

use std::collections::BTreeSet;

use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event};
use bus::{Bus, BusConfig};
use proto_schemas::access::{BACKUP, BOOTSTRAP, FileAccess, USERS};
use testkit::nats::NatsServer;
use tests::secured::Secured;
use tokio::sync::mpsc;

use crate::broker::connecting_as;

use self::table::{BOOTSTRAPS, COPIERS, NOBODYS, PUBLISHED};

/// What nobody may do; when the server has refused it, it has judged all that was tried before.
const LAST: &str = "nobody.may.do.this";

/// A connection of one user, and what the server refuses it.
struct Intruder {
    client: Client,
    refused: mpsc::Receiver<String>,
}

impl Intruder {
    async fn connect(secured: &Secured, server: &NatsServer, user: &str) -> Self {
        let (told, refused) = mpsc::channel(1024);
        let options = connecting_as(secured, user).event_callback(move |event| {
            if let Event::ServerError(error) = event {
                told.try_send(error.to_string()).unwrap();
            }
            std::future::ready(())
        });
        let client = options.connect(Secured::url(server)).await.unwrap();
        Self { client, refused }
    }

    /// Publishes to each subject; those that were refused.
    async fn publish(&mut self, subjects: &[&str]) -> BTreeSet<String> {
        for &subject in subjects.iter().chain([&LAST]) {
            self.client.publish(subject.to_owned(), "".into()).await.unwrap();
        }
        self.refusals("Publish").await
    }

    /// Subscribes to each subject, or as a member of the group behind it; those that were refused.
    async fn subscribe(&mut self, subjects: &[&str]) -> BTreeSet<String> {
        for subject in subjects.iter().chain([&LAST]) {
            let subscribed = match subject.split_once(' ') {
                Some((subject, group)) => {
                    self.client
                        .queue_subscribe(subject.to_owned(), group.to_owned())
                        .await
                }
                None => self.client.subscribe((*subject).to_owned()).await,
            };
            // It goes on until the client is dropped: the server has to see it first.
            std::mem::forget(subscribed.unwrap());
        }
        self.refusals("Subscription").await
    }

    async fn refusals(&mut self, of: &str) -> BTreeSet<String> {
        let mut refused = BTreeSet::new();
        loop {
            let error = self.refused.recv().await.unwrap();
            // Permissions Violation for Subscription to "typing.*" using queue "egress"
            let quoted: Vec<&str> = error.split('"').skip(1).step_by(2).collect();
            assert!(error.contains(of), "{error}");
            let subject = quoted.join(" ");
            if subject == LAST {
                return refused;
            }
            refused.insert(subject);
        }
    }
}

fn owned(subjects: &[&str]) -> BTreeSet<String> {
    subjects.iter().map(|&subject| subject.to_owned()).collect()
}

#[tokio::test]
async fn each_user_is_refused_what_others_publish() {
    let secured = Secured::new();
    let server = secured.start().await;
    let _topology = secured.connect(&server).await;
    assert_eq!(PUBLISHED.map(|(user, ..)| user), USERS.map(|user| user.name));
    for (user, may, may_not) in PUBLISHED {
        let mut intruder = Intruder::connect(&secured, &server, user).await;
        let refused = intruder.publish(&[may, may_not].concat()).await;
        assert_eq!(refused, owned(may_not), "{user}");
        assert_eq!(intruder.publish(&NOBODYS).await, owned(&NOBODYS), "{user}");
        if user != BOOTSTRAP {
            assert_eq!(intruder.publish(&BOOTSTRAPS).await, owned(&BOOTSTRAPS), "{user}");
        }
        if ![BACKUP, BOOTSTRAP].contains(&user) {
            assert_eq!(intruder.publish(&COPIERS).await, owned(&COPIERS), "{user}");
        }
    }
}

#[tokio::test]
async fn who_shows_no_key_is_refused() {
    let secured = Secured::new();
    let server = secured.start().await;
    let stranger = ConnectOptions::new().add_root_certificates(secured.authority.roots());
    let error = stranger.connect(Secured::url(&server)).await.unwrap_err();
    assert_eq!(error.kind(), ConnectErrorKind::AuthorizationViolation, "{error}");
}

#[tokio::test]
async fn a_file_that_is_stored_anew_takes_the_place_of_the_old_one() {
    let secured = Secured::new();
    let server = secured.start().await;
    let _topology = secured.connect(&server).await;
    for user in USERS.iter().filter(|user| user.files == FileAccess::Stores) {
        let config = BusConfig::new(Secured::url(&server), user.name);
        let bus = Bus::connect_as(config, secured.identity(user.name))
            .await
            .unwrap();
        bus.connected().wait_for(|connected| *connected).await.unwrap();
        for bytes in ["old", "new"] {
            bus.store_file("key", &bytes.into()).await.unwrap();
            assert_eq!(bus.file("key", 3).await.unwrap(), bytes, "{}", user.name);
        }
        assert_eq!(bus.permission_errors(), 0, "{}", user.name);
    }
}

#[tokio::test]
async fn each_user_hears_its_own_answers_and_what_it_is_there_for() {
    let secured = Secured::new();
    let server = secured.start().await;
    let others = [
        "inbox.*",
        "turns.*",
        "$KV.registry.>",
        "$JS.ACK.>",
        "$SYS.>",
        "_INBOX.>",
        ">",
    ];
    for user in USERS {
        let mut intruder = Intruder::connect(&secured, &server, user.name).await;
        let own = format!("_INBOX_{}.>", user.name);
        let inboxes = USERS.map(|other| format!("_INBOX_{}.>", other.name));
        let of_others: Vec<&str> = inboxes
            .iter()
            .map(String::as_str)
            .filter(|inbox| *inbox != own)
            .collect();
        let refused = intruder
            .subscribe(&[&others, &*of_others, &[&*own]].concat())
            .await;
        assert_eq!(refused, owned(&[&others, &*of_others].concat()), "{}", user.name);

        let heard: &[&str] = match user.name {
            "webhook-caller" => &["integration-tests.* webhook-caller"],
            "egress" => &["typing.* egress"],
            _ => &[],
        };
        // Outside its group one would hear what others are to hear.
        let all = [
            "integration-tests.* webhook-caller",
            "typing.* egress",
            "typing.*",
            "integration-tests.*",
            "typing.* other",
        ];
        let may_not: Vec<&str> = all
            .into_iter()
            .filter(|subject| !heard.contains(subject))
            .collect();
        assert_eq!(intruder.subscribe(&all).await, owned(&may_not), "{}", user.name);
    }
}
