//! Keys and certificates of the broker are changed while messages come.

use proto_schemas::dead_letter::Stage;
use testkit::authority::Authority;
use testkit::condition::{PATIENCE, wait_until};

use crate::manifest::WEB;
use crate::pipeline::{Pipeline, echoed_one_by_one};
use crate::users::SECURED;

impl Pipeline {
    /// Tells the broker what it has to know of its users and certificate now.
    async fn reload_broker(&self) {
        self.nats.reload(&self.users().configuration()).await;
    }

    /// A message is answered.
    async fn converse(&self, texts: &[&str]) {
        self.say(WEB, "ada", texts[texts.len() - 1]).await;
        assert_eq!(self.replies("ada", texts.len()).await, echoed_one_by_one(texts));
    }
}

#[tokio::test]
async fn the_keys_of_all_services_are_changed_without_a_gap_and_the_old_ones_are_refused_then() {
    let mut pipeline = Pipeline::start(SECURED).await;
    pipeline.converse(&["one"]).await;
    let before = pipeline.users().environments();
    for stage in Stage::ALL {
        pipeline.secured.as_mut().unwrap().change_key(stage.as_str());
    }
    pipeline.reload_broker().await;
    let after = pipeline.users().environments();
    assert_ne!(before, after);
    pipeline.converse(&["one", "two"]).await;
    for stage in Stage::ALL {
        pipeline.say(WEB, "bob", stage.as_str()).await;
        pipeline.replace(stage, after[&stage].clone()).await;
    }
    pipeline.secured.as_mut().unwrap().drop_previous_keys();
    pipeline.reload_broker().await;
    pipeline.converse(&["one", "two", "three"]).await;
    let said: Vec<&str> = Stage::ALL.map(Stage::as_str).to_vec();
    assert_eq!(
        pipeline.replies("bob", said.len()).await,
        echoed_one_by_one(&said)
    );
    pipeline.settled().await;
    assert_eq!(pipeline.replies_now("bob").len(), said.len());
    pipeline.nobody_was_refused().await;
}

#[tokio::test]
async fn a_service_whose_key_is_taken_away_is_let_in_no_more_and_its_work_waits_for_the_next() {
    let mut pipeline = Pipeline::start(SECURED).await;
    let users = pipeline.secured.as_mut().unwrap();
    users.change_key(Stage::Egress.as_str());
    users.drop_previous_keys();
    pipeline.reload_broker().await;
    wait_until(PATIENCE, "egress to be without the broker", async || {
        !pipeline.service(Stage::Egress).is_ready().await
    })
    .await;
    pipeline.say(WEB, "ada", "one").await;
    pipeline.backend.wait_for_calls(1).await;
    assert!(pipeline.replies_now("ada").is_empty());
    let environment = pipeline.users().environment(Stage::Egress.as_str());
    pipeline.replace(Stage::Egress, environment).await;
    assert_eq!(pipeline.replies("ada", 1).await, echoed_one_by_one(&["one"]));
}

#[tokio::test]
async fn the_brokers_certificate_comes_from_another_authority_and_no_service_is_started_again() {
    let mut pipeline = Pipeline::start(SECURED).await;
    pipeline.converse(&["one"]).await;
    let next = Authority::new();
    let trusted = pipeline.users().authority.roots();
    let pem = |roots| std::fs::read_to_string(roots).unwrap();
    std::fs::write(&trusted, pem(trusted.clone()) + &pem(next.roots())).unwrap();
    let last = std::mem::replace(&mut pipeline.secured.as_mut().unwrap().authority, next);
    pipeline.reload_broker().await;
    pipeline.converse(&["one", "two"]).await;

    std::fs::write(last.roots(), pem(pipeline.users().authority.roots())).unwrap();
    // Everybody connects anew.
    pipeline.nats.restart().await;
    for stage in Stage::ALL {
        pipeline.service(stage).ready().await;
    }
    pipeline.converse(&["one", "two", "three"]).await;
}
