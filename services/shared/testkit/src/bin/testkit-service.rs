//! A stand-in for a service, for testkit's own tests: binds, writes its addresses, becomes ready at the second
//! look, and ends in order at SIGTERM.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

static LOOKS: AtomicUsize = AtomicUsize::new(0);

async fn ready() -> StatusCode {
    match LOOKS.fetch_add(1, Ordering::Relaxed) {
        0 => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    }
}

async fn environment() -> String {
    let mut names: Vec<_> = std::env::vars_os()
        .map(|(name, _)| name.to_string_lossy().into_owned())
        .collect();
    names.sort();
    names.join(" ")
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    if std::env::var_os("REFUSE").is_some() {
        writeln!(std::io::stderr(), "REFUSE is set")?;
        std::process::exit(3);
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addresses = std::path::PathBuf::from(std::env::var_os("ADDRESS_FILE").expect("the kit sets it"));
    let written = addresses.with_extension("tmp");
    std::fs::write(&written, format!("{{\"admin\":\"{}\"}}", listener.local_addr()?))?;
    std::fs::rename(written, addresses)?;
    writeln!(std::io::stdout(), "bound")?;
    let router = Router::new()
        .route("/readyz", get(ready))
        .route("/environment", get(environment));
    let ended = async move {
        terminate.recv().await;
    };
    axum::serve(listener, router)
        .with_graceful_shutdown(ended)
        .await?;
    writeln!(std::io::stderr(), "drained")
}
