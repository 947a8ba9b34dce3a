//! Certificates.

use std::sync::Arc;

use axum::Router;
use axum::routing::get as on_get;
use outbound::{CallFailure, Client, Policy, call_class, error_text};
use reqwest::Method;
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use testkit::tls::{self_signed, self_signed_asking};
use url::Url;

use crate::servers::serve_tls;

/// A server for `localhost` with a certificate of its own, and that certificate as PEM.
pub(crate) async fn tls_server() -> (Url, String) {
    let (config, pem) = self_signed();
    (serve_tls(router(), config).await, pem)
}

fn router() -> Router {
    Router::new().route("/", on_get(|| async { "hello" }))
}

pub(crate) fn policy() -> Policy {
    Policy::new(&["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap()
}

#[tokio::test]
async fn an_unknown_certificate_is_refused() {
    let (url, _) = tls_server().await;
    let client = Client::new(policy(), None).unwrap();
    let error = client
        .request(Method::GET, &url)
        .unwrap()
        .send()
        .await
        .unwrap_err();
    let class = call_class(&error);
    assert_eq!(class, CallFailure::Tls, "{}", error_text(error));
}

#[tokio::test]
async fn an_extra_root_makes_it_known() {
    let (url, pem) = tls_server().await;
    let client = Client::new(policy(), Some(pem.as_bytes())).unwrap();
    let response = client.request(Method::GET, &url).unwrap().send().await.unwrap();
    assert_eq!(response.text().await.unwrap(), "hello");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let (mut url, pem) = tls_server().await;
    url.set_host(Some("127.0.0.1")).unwrap();
    let client = Client::new(policy(), Some(pem.as_bytes())).unwrap();
    let error = client
        .request(Method::GET, &url)
        .unwrap()
        .send()
        .await
        .unwrap_err();
    assert_eq!(call_class(&error), CallFailure::Tls);
}

/// A server that takes clients with the certificate in the first PEM only, and its own certificate.
async fn server_for_one() -> (Url, String, String) {
    let owner = rcgen::generate_simple_self_signed(vec!["bot-owner".to_owned()]).unwrap();
    let mut known = RootCertStore::empty();
    known.add(owner.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(known), provider)
        .build()
        .unwrap();
    let (config, server) = self_signed_asking(|config| config.with_client_cert_verifier(verifier));
    let url = serve_tls(router(), config).await;
    (url, owner.cert.pem() + &owner.signing_key.serialize_pem(), server)
}

#[tokio::test]
async fn a_client_certificate_is_shown_to_a_server_that_asks_for_it() {
    let (url, owner, server) = server_for_one().await;
    let nobody = Client::new(policy(), Some(server.as_bytes())).unwrap();
    let refused = nobody.request(Method::GET, &url).unwrap().send().await;
    assert!(refused.is_err());

    let somebody = nobody.with_certificate(owner.as_bytes()).unwrap();
    let answer = somebody.request(Method::GET, &url).unwrap().send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "hello");
}

#[tokio::test]
async fn a_client_certificate_is_shown_by_a_timed_call_as_well() {
    let (url, owner, server) = server_for_one().await;
    let client = Client::new(policy(), Some(server.as_bytes())).unwrap();
    let client = client.with_certificate(owner.as_bytes()).unwrap();
    let timed = client.with_stopwatch(Arc::default()).unwrap();
    let request = timed.request(Method::GET, &url).unwrap();
    assert_eq!(timed.send(request).await.unwrap().text().await.unwrap(), "hello");
}
