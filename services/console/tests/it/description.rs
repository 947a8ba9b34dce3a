//! The API's description: what is committed is what is served.
//!
//! `make openapi` writes it.

use std::path::Path;

use crate::fixture::Fixture;

#[tokio::test]
async fn the_committed_description_is_the_one_that_is_served() {
    let console = Fixture::start().await;
    let response = console.request(reqwest::Method::GET, "/v1/openapi.json");
    let served = crate::fixture::body(response.send().await.unwrap()).await;
    let served = format!("{served:#}\n");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &served).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(committed, served, "openapi.json differs: run `make openapi`");
}
