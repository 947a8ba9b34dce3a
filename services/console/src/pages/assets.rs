//! The style, the script and the icon. Their addresses change with what they hold, so browsers keep them for good.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::headers;
use crate::web::Desk;

/// A file that is part of the program.
pub(super) struct Asset {
    name: &'static str,
    media_type: &'static str,
    text: &'static str,
    digest: LazyLock<String>,
}

/// How all pages look.
pub(super) static STYLE: Asset = Asset {
    name: "console.css",
    media_type: "text/css; charset=utf-8",
    text: include_str!("../../assets/console.css"),
    digest: LazyLock::new(|| digest(STYLE.text)),
};
/// What refreshes what changes.
pub(super) static SCRIPT: Asset = Asset {
    name: "console.js",
    media_type: "text/javascript; charset=utf-8",
    text: include_str!("../../assets/console.js"),
    digest: LazyLock::new(|| digest(SCRIPT.text)),
};
/// The picture in a tab.
pub(super) static ICON: Asset = Asset {
    name: "icon.svg",
    media_type: "image/svg+xml",
    text: include_str!("../../assets/icon.svg"),
    digest: LazyLock::new(|| digest(ICON.text)),
};

const KEPT: &str = "public, max-age=31536000, immutable";

impl Asset {
    /// Where it is.
    pub(super) fn address(&self) -> String {
        format!("/assets/{}/{}", *self.digest, self.name)
    }
}

/// Serves them, to whom the page on which to sign in is shown as well.
pub(super) fn router() -> Router<Arc<Desk>> {
    Router::new().route("/assets/{digest}/{name}", get(serve))
}

async fn serve(Path((_, name)): Path<(String, String)>) -> Response {
    let found = [&STYLE, &SCRIPT, &ICON]
        .into_iter()
        .find(|asset| asset.name == name);
    let response = found.map_or_else(
        || StatusCode::NOT_FOUND.into_response(),
        |asset| {
            let about = [
                (header::CONTENT_TYPE, asset.media_type),
                (header::CACHE_CONTROL, KEPT),
            ];
            (about, asset.text).into_response()
        },
    );
    headers::secured(response)
}

fn digest(text: &str) -> String {
    let digest = Sha256::digest(text);
    HEXLOWER.encode(digest.first_chunk::<8>().map_or(&digest[..], |start| start))
}
