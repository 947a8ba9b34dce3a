//! A call as the Bot API takes it: parameters in the query, a JSON body or a multipart form.

use std::collections::HashMap;

use axum::extract::{FromRequest, Multipart, Query, Request};
use axum::http::Uri;
use axum::http::header::CONTENT_TYPE;
use serde_json::{Map, Value};

use super::api::ApiError;
use super::chats::SentFile;

/// The method under which a download is known to scripts.
pub(super) const FILE: &str = "file";

/// One call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) token: String,
    /// The method, as it was written; [`FILE`] for a download.
    pub(super) method: String,
    /// What a download asks for.
    pub(super) file_path: String,
    pub(super) parameters: Map<String, Value>,
    pub(super) uploads: HashMap<String, SentFile>,
}

impl Call {
    pub(super) async fn read(request: Request) -> Result<Self, ApiError> {
        let mut call = Self::addressed(request.uri()).ok_or(ApiError::new(404, "Not Found"))?;
        call.add_query(request.uri());
        let content_type = request
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        match content_type
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default()
        {
            "" => {}
            "application/json" => call.add_json(request).await?,
            "multipart/form-data" => call.add_multipart(request).await?,
            other => {
                return Err(ApiError::new(
                    400,
                    format!("Bad Request: the fake does not read {other}"),
                ));
            }
        }
        Ok(call)
    }

    /// Reads `/bot<token>/<method>` or `/file/bot<token>/<path>`.
    fn addressed(uri: &Uri) -> Option<Self> {
        let path = uri.path();
        let (token, method, file_path) = match path.strip_prefix("/file/bot") {
            Some(rest) => rest.split_once('/').map(|(token, path)| (token, FILE, path))?,
            None => path
                .strip_prefix("/bot")?
                .split_once('/')
                .map(|(token, method)| (token, method, ""))?,
        };
        Some(Self {
            // A client may write the token's colon either way.
            token: token.replace("%3A", ":").replace("%3a", ":"),
            method: method.to_owned(),
            file_path: file_path.to_owned(),
            parameters: Map::new(),
            uploads: HashMap::new(),
        })
    }

    fn add_query(&mut self, uri: &Uri) {
        let Ok(Query(query)) = Query::<HashMap<String, String>>::try_from_uri(uri) else {
            return;
        };
        self.parameters.extend(
            query
                .into_iter()
                .map(|(name, value)| (name, Value::String(value))),
        );
    }

    async fn add_json(&mut self, request: Request) -> Result<(), ApiError> {
        let bad = || ApiError::new(400, "Bad Request: can't parse the JSON body");
        let body = axum::body::to_bytes(request.into_body(), usize::MAX)
            .await
            .map_err(|_| bad())?;
        let parameters: Map<String, Value> = serde_json::from_slice(&body).map_err(|_| bad())?;
        self.parameters.extend(parameters);
        Ok(())
    }

    async fn add_multipart(&mut self, request: Request) -> Result<(), ApiError> {
        let bad = || ApiError::new(400, "Bad Request: can't parse the multipart body");
        let mut form = Multipart::from_request(request, &()).await.map_err(|_| bad())?;
        while let Some(field) = form.next_field().await.map_err(|_| bad())? {
            let name = field.name().unwrap_or_default().to_owned();
            let file_name = field.file_name().map(str::to_owned);
            let content_type = field.content_type().map(str::to_owned);
            let bytes = field.bytes().await.map_err(|_| bad())?;
            match file_name {
                Some(file_name) => {
                    self.uploads.insert(
                        name,
                        SentFile {
                            name: file_name,
                            content_type,
                            bytes,
                        },
                    );
                }
                None => {
                    let text = String::from_utf8(bytes.to_vec()).map_err(|_| bad())?;
                    self.parameters.insert(name, Value::String(text));
                }
            }
        }
        Ok(())
    }

    /// A text; empty when it is absent.
    pub(super) fn text(&self, name: &str) -> &str {
        self.parameters
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// A number, also when a form wrote it as text.
    pub(super) fn number(&self, name: &str) -> Option<i64> {
        let value = self.parameters.get(name)?;
        value.as_i64().or_else(|| value.as_str()?.parse().ok())
    }

    /// An object, also when a form wrote it as text.
    pub(super) fn object(&self, name: &str) -> Option<Value> {
        let value = self.parameters.get(name)?;
        value
            .as_str()
            .map_or_else(|| Some(value.clone()), |text| serde_json::from_str(text).ok())
    }
}
