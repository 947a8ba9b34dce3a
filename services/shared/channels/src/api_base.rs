//! Where a platform's API is.

use url::Url;

use crate::account::OpenError;

/// The address of an API, to which paths are added.
pub(crate) struct ApiBase(Url);

impl ApiBase {
    pub(crate) fn open(url: &Url) -> Result<Self, OpenError> {
        if url.cannot_be_a_base() {
            return Err(OpenError::BadApiBase);
        }
        Ok(Self(url.clone()))
    }

    /// The address behind the base.
    pub(crate) fn with<'a>(&self, segments: impl IntoIterator<Item = &'a str>) -> Url {
        let mut url = self.0.clone();
        url.path_segments_mut()
            .expect("that it is a base was checked when it was opened")
            .pop_if_empty()
            .extend(segments);
        url
    }

    pub(crate) fn host(&self) -> Option<&str> {
        self.0.host_str()
    }
}
